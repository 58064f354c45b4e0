import CCurl

/// The headers of a request as libcurl takes them, in memory that is used for one request after the other.
///
/// libcurl copies nothing: the list stays as it is until the request is finished.
@safe final class HeaderList {
    private var nodes = unsafe UnsafeMutableBufferPointer<curl_slist>(start: nil, count: 0)
    private var text = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var nodeCount = 0
    private var textCount = 0

    deinit {
        unsafe self.nodes.deallocate()
        unsafe self.text.deallocate()
    }

    /// Writes the headers of a request, in place of those before.
    func list(of request: HTTPRequest) -> UnsafeMutablePointer<curl_slist>? {
        let late = request.headersOfItsTurn?() ?? []
        // A name, a value, what stands between them, and the end of the line.
        let count = { (headers: [HTTPHeader]) in headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 3 }
        }
        self.begin(lines: request.headers.count + late.count + 2, bytes: count(request.headers) + count(late) + 64)
        // What libcurl adds by itself and a server need not get; an answer to the first would be waited for.
        self.add("Expect:", "", "")
        var hasContentType = false
        for header in request.headers { self.add(header, &hasContentType) }
        for header in late { self.add(header, &hasContentType) }
        if !hasContentType { self.add("Content-Type:", "", "") }
        return unsafe self.nodes.baseAddress
    }

    private func begin(lines: Int, bytes: Int) {
        self.nodeCount = 0
        self.textCount = 0
        if unsafe self.nodes.count < lines {
            unsafe self.nodes.deallocate()
            unsafe self.nodes = .allocate(capacity: max(8, lines))
        }
        if unsafe self.text.count < bytes {
            unsafe self.text.deallocate()
            unsafe self.text = .allocate(byteCount: max(512, bytes), alignment: 1)
        }
    }

    private func add(_ header: HTTPHeader, _ hasContentType: inout Bool) {
        if header.name.utf8.count == 12, header.name.lowercased() == "content-type" { hasContentType = true }
        self.add(header.name, header.value.isEmpty ? ";" : ": ", header.value)
    }

    /// Adds a line to the list.
    private func add(_ name: String, _ separator: String, _ value: String) {
        let start = unsafe self.text.baseAddress! + self.textCount
        self.append(name)
        self.append(separator)
        self.append(value)
        unsafe self.text[self.textCount] = 0
        self.textCount += 1
        let node = unsafe self.nodes.baseAddress! + self.nodeCount
        unsafe node.initialize(to: curl_slist(data: start.assumingMemoryBound(to: CChar.self), next: nil))
        if self.nodeCount > 0 { unsafe self.nodes[self.nodeCount - 1].next = node }
        self.nodeCount += 1
    }

    private func append(_ part: String) {
        var part = part
        part.withUTF8 { bytes in
            unsafe UnsafeMutableRawBufferPointer(rebasing: self.text[self.textCount...])
                .copyMemory(from: UnsafeRawBufferPointer(bytes))
            self.textCount += bytes.count
        }
    }
}
