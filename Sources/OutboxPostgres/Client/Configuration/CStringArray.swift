#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A null-terminated array of C strings.
@safe struct CStringArray: ~Copyable {
    private let strings: UnsafeMutableBufferPointer<UnsafePointer<CChar>?>

    init(_ elements: some Collection<String>) {
        unsafe strings = .allocate(capacity: elements.count + 1)
        unsafe strings.initialize(repeating: nil)
        for (index, element) in elements.enumerated() {
            unsafe strings[index] = UnsafePointer(strdup(element))
        }
    }

    deinit {
        for index in unsafe strings.indices {
            unsafe free(UnsafeMutablePointer(mutating: strings[index]))
        }
        unsafe strings.deallocate()
    }

    var pointer: UnsafePointer<UnsafePointer<CChar>?> { unsafe UnsafePointer(strings.baseAddress!) }
}
