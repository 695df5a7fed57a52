import Glibc

/// The system's text for an error number.
func systemErrorText(_ code: Int32) -> String {
    guard let text = strerror(code) else { return "error \(code)" }
    return String(cString: text)
}

/// Reads a file of the kernel or of ours that is at most `limit` bytes long.
func readSmallFile(_ path: String, limit: Int = 1 << 16) throws(SandboxError) -> String {
    String(decoding: try readSmallBytes(path, limit: limit), as: UTF8.self)
}

func readSmallBytes(_ path: String, limit: Int = 1 << 16) throws(SandboxError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { throw .system(operation: "open \(path)", errno: errno) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: min(limit, 4096))
    while bytes.count < limit {
        let count = read(descriptor, &chunk, min(chunk.count, limit - bytes.count))
        if count < 0 {
            if errno == EINTR { continue }
            throw .system(operation: "read \(path)", errno: errno)
        }
        if count == 0 { break }
        bytes.append(contentsOf: chunk[0..<count])
    }
    return bytes
}

/// The last bytes of a file that may be large, and may grow.
func readTail(_ path: String, limit: Int) throws(SandboxError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { throw .system(operation: "open \(path)", errno: errno) }
    defer { close(descriptor) }
    let size = lseek(descriptor, 0, SEEK_END)
    var bytes = [UInt8](repeating: 0, count: limit)
    let count = pread(descriptor, &bytes, limit, max(0, size - off_t(limit)))
    guard count >= 0 else { throw .system(operation: "read \(path)", errno: errno) }
    return Array(bytes[..<count])
}

/// Writes a kernel file with one system call. Returns 0 or the error number.
func writeKernelFile(_ path: String, _ text: String) -> Int32 {
    let descriptor = open(path, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return errno }
    defer { close(descriptor) }
    var copy = text
    let count = copy.withUTF8 { write(descriptor, $0.baseAddress, $0.count) }
    return count < 0 ? errno : 0
}

/// A descriptor that closes with its last reference.
final class OwnedDescriptor: Sendable {
    let number: Int32
    init(_ number: Int32) { self.number = number }
    deinit { if number >= 0 { close(number) } }
}
