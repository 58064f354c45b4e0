import CRabbitMQ

/// Memory for what the library is lent for one call: texts and tables. Its pointers are good until it is reset.
@safe struct ByteArena: ~Copyable {
    private var blocks = unsafe [UnsafeMutableRawBufferPointer]()
    private var used = 0

    deinit {
        unsafe self.blocks.forEach { unsafe $0.deallocate() }
    }

    /// Takes everything back, and keeps the largest block.
    mutating func reset() {
        self.used = 0
        if unsafe self.blocks.count < 2 { return }
        let last = unsafe self.blocks.removeLast()
        unsafe self.blocks.forEach { unsafe $0.deallocate() }
        unsafe self.blocks = [last]
    }

    mutating func allocate(_ count: Int) -> UnsafeMutableRawPointer {
        // Aligned for anything.
        let start = (self.used + 15) & ~15
        if let block = unsafe self.blocks.last, start + count <= block.count {
            self.used = start + count
            return unsafe block.baseAddress! + start
        }
        // Each block is larger than all before it, so the last one that is kept is enough for the like of it.
        let total = unsafe self.blocks.reduce(0) { $0 + $1.count }
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: max(4096, 2 * total, count), alignment: 16)
        unsafe self.blocks.append(block)
        self.used = count
        return block.baseAddress!
    }

    mutating func bytes(_ text: String) -> amqp_bytes_t {
        var text = text
        let count = text.utf8.count
        if count == 0 { return unsafe amqp_empty_bytes }
        let copy = unsafe self.allocate(count)
        text.withUTF8 { unsafe copy.copyMemory(from: $0.baseAddress!, byteCount: count) }
        return unsafe amqp_bytes_t(len: count, bytes: copy)
    }

    /// A text that ends with a zero byte.
    mutating func cString(_ text: String) -> UnsafePointer<CChar> {
        let copy = unsafe self.allocate(text.utf8.count + 1)
        var offset = 0
        for byte in text.utf8 {
            unsafe copy.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
            offset += 1
        }
        unsafe copy.storeBytes(of: 0, toByteOffset: offset, as: UInt8.self)
        return unsafe UnsafePointer(copy.assumingMemoryBound(to: CChar.self))
    }

    mutating func table(_ values: [String: AMQPConfiguration.Argument]) -> amqp_table_t {
        unsafe self.table(values.map { unsafe (name: $0.key, value: self.value($0.value)) })
    }

    mutating func table(_ values: [String: String]) -> amqp_table_t {
        if values.isEmpty { return unsafe amqp_empty_table }
        let entries = unsafe self.entries(values.count)
        var index = 0
        for (name, value) in values {
            unsafe entries[index] = unsafe amqp_table_entry_t(key: self.bytes(name), value: self.value(.text(value)))
            index += 1
        }
        return unsafe amqp_table_t(num_entries: CInt(values.count), entries: entries)
    }

    mutating func table(_ values: [(name: String, value: amqp_field_value_t)]) -> amqp_table_t {
        if unsafe values.isEmpty { return unsafe amqp_empty_table }
        let entries = unsafe self.entries(values.count)
        for index in unsafe values.indices {
            let (name, value) = unsafe values[index]
            unsafe entries[index] = unsafe amqp_table_entry_t(key: self.bytes(name), value: value)
        }
        return unsafe amqp_table_t(num_entries: CInt(values.count), entries: entries)
    }

    private mutating func entries(_ count: Int) -> UnsafeMutablePointer<amqp_table_entry_t> {
        let memory = unsafe self.allocate(count * MemoryLayout<amqp_table_entry_t>.stride)
        return unsafe memory.bindMemory(to: amqp_table_entry_t.self, capacity: count)
    }

    mutating func value(_ argument: AMQPConfiguration.Argument) -> amqp_field_value_t {
        var value = unsafe amqp_field_value_t()
        switch argument.value {
        case .text(let text):
            unsafe value.kind = UInt8(AMQP_FIELD_KIND_UTF8.rawValue)
            unsafe value.value.bytes = self.bytes(text)
        case .integer(let number):
            unsafe value.kind = UInt8(AMQP_FIELD_KIND_I64.rawValue)
            unsafe value.value.i64 = number
        case .flag(let flag):
            unsafe value.kind = UInt8(AMQP_FIELD_KIND_BOOLEAN.rawValue)
            unsafe value.value.boolean = flag ? 1 : 0
        }
        return unsafe value
    }

    func tableValue(_ table: amqp_table_t) -> amqp_field_value_t {
        var value = unsafe amqp_field_value_t()
        unsafe value.kind = UInt8(AMQP_FIELD_KIND_TABLE.rawValue)
        unsafe value.value.table = table
        return unsafe value
    }
}
