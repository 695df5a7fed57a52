import CSandbox
import Dispatch

#if canImport(Glibc)
import Glibc
#endif

/// A program run to its end, its output collected. Used for the two that have no library here: lab-shim and nft.
struct Command: Sendable {
    let path: String
    let arguments: [String]
    var input: [UInt8] = []

    struct Outcome: Sendable {
        /// Exit status, or 128 and the signal's number.
        let status: Int32
        let output: [UInt8]
        let errors: String
    }

    private static let queue = DispatchQueue(label: "kindling.command", attributes: .concurrent)

    func run() async throws(NetworkError) -> Outcome {
        let result = await withCheckedContinuation { (done: CheckedContinuation<Result<Outcome, NetworkError>, Never>) in
            Self.queue.async { done.resume(returning: Result { () throws(NetworkError) in try runBlocking() }) }
        }
        return try result.get()
    }

    private func runBlocking() throws(NetworkError) -> Outcome {
        // Files, not pipes: nothing can stall between three streams, and a background helper may keep its ends open.
        guard let input = Self.file(), let output = Self.file(), let errors = Self.file() else {
            throw .system(errno, "making a temporary file in memory")
        }
        defer { for fd in [input, output, errors] { close(fd) } }
        let written = self.input.withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
        guard written == self.input.count, lseek(input, 0, SEEK_SET) == 0 else { throw .system(errno, "preparing input") }
        let status = try Self.spawn(path, arguments, [input, output, errors])
        return Outcome(status: status, output: Self.read(output), errors: String(decoding: Self.read(errors), as: UTF8.self))
    }

    private static func file() -> Int32? {
        let fd = kd_memory_file("kindling")
        return fd < 0 ? nil : fd
    }

    private static func read(_ fd: Int32) -> [UInt8] {
        let size = Int(lseek(fd, 0, SEEK_END))
        guard size > 0 else { return [] }
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            count = max(0, pread(fd, buffer.baseAddress, size, 0))
        }
    }

    private static func spawn(_ path: String, _ arguments: [String], _ streams: [Int32]) throws(NetworkError) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (index, fd) in streams.enumerated() { posix_spawn_file_actions_adddup2(&actions, fd, Int32(index)) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // labd and NIO block or ignore signals; a new program starts with none of that.
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        let rc = posix_spawnp(&pid, path, &actions, &attributes, &words, environ)
        guard rc == 0 else { throw .system(rc, "starting \(path)") }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            guard errno == EINTR else { throw .system(errno, "waiting for \(path)") }
        }
        return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
    }
}
