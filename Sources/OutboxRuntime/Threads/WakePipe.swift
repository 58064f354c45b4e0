#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A pipe to oneself: a byte written by any thread ends the `poll(2)` of the thread that watches the other end.
package struct WakePipe: ~Copyable, Sendable {
    package let readDescriptor: CInt
    private let writeDescriptor: CInt

    /// - Returns: `nil` if the process has no descriptor left.
    package init?() {
        var descriptors: (CInt, CInt) = (-1, -1)
        let status = unsafe withUnsafeMutableBytes(of: &descriptors) { bytes in
            unsafe pipe(bytes.assumingMemoryBound(to: CInt.self).baseAddress!)
        }
        guard status == 0 else { return nil }
        (readDescriptor, writeDescriptor) = descriptors
        for descriptor in [readDescriptor, writeDescriptor] {
            _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        }
    }

    deinit {
        close(readDescriptor)
        close(writeDescriptor)
    }

    /// A full pipe is as good as one more byte: its reader wakes up either way.
    package func signal() {
        var byte: UInt8 = 1
        _ = unsafe write(writeDescriptor, &byte, 1)
    }

    package func drain() {
        var bytes: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        while unsafe read(readDescriptor, &bytes, 32) == 32 {}
    }
}
