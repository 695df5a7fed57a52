import CSandbox
import Dispatch
import FoundationEssentials
import Testing

@testable import LabNetwork

#if canImport(Glibc)
import Glibc
#endif

/// Who runs the lab of a test: the user of the tests, or as root an ordinary user made for it.
enum Who: String, CaseIterable, Sendable {
    case tester, userWithRanges, userWithOneId

    static var possible: [Who] { geteuid() == 0 ? allCases : [.tester] }
}

/// A lab directory with a labd made of shell, gone with its processes after the test.
final class Lab: Sendable {
    let directory: String
    let who: Who
    private let user: String

    var runtime: String { directory + "/run" }
    var client: HelperClient { HelperClient(runtimeDirectory: runtime) }
    var binaries: String { directory + "/bin" }

    init(_ who: Who) async throws {
        self.who = who
        var template = Array("/tmp/kindling-net-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { buffer in buffer.baseAddress.flatMap { mkdtemp($0) } != nil }
        try #require(made)
        directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        user = "kd" + directory.suffix(6).lowercased()
        try await prepare()
    }

    private func prepare() async throws {
        if who != .tester {
            let noRanges = ["-K", "SUB_UID_COUNT=0", "-K", "SUB_GID_COUNT=0"]
            try await sh("useradd", ["-M", "-d", directory] + (who == .userWithOneId ? noRanges : []) + [user])
        }
        mkdir(binaries, 0o755)
        // Beside the test program; linked or copied because a build folder may be out of an ordinary user's reach.
        let built = Self.ownPath.split(separator: "/").dropLast().joined(separator: "/")
        try await sh("cp", ["-fL", "/" + built + "/lab-shim", binaries + "/lab-shim"])
        var shim = "#!/bin/sh\nexec \(binaries)/lab-shim \"$@\"\n"
        if who != .tester { shim = "#!/bin/sh\nexec setpriv --reuid \(user) --regid \(user) --clear-groups -- \(binaries)/lab-shim \"$@\"\n" }
        try write(shim, to: "shim")
        try write(
            "#!/bin/sh\necho \"$(id -u) $(readlink /proc/self/ns/net)\" >>\(directory)/starts\n"
                + "exec 9>>\(directory)/alive\nexec sleep infinity\n", to: "labd")
        try #require(mkfifo(directory + "/alive", 0o666) == 0)
        if who != .tester { try await sh("chown", ["-R", user, directory]) }
    }

    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(filePath: binaries + "/" + name))
        chmod(binaries + "/" + name, 0o755)
    }

    func launcher(daemon: String = "labd", arguments: [String] = []) -> HelperLauncher {
        HelperLauncher(
            shim: binaries + "/shim", stateDirectory: directory + "/state", runtimeDirectory: runtime,
            daemon: binaries + "/" + daemon, daemonArguments: arguments)
    }

    /// The kernel's name of the network namespace that each labd so far ran in, after its user id.
    func starts() throws -> [String] {
        String(decoding: try Data(contentsOf: URL(filePath: directory + "/starts")), as: UTF8.self)
            .split(separator: "\n").map(String.init)
    }

    func log(_ name: String) -> String {
        (try? Data(contentsOf: URL(filePath: directory + "/state/log/\(name).log"))).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// Returns when the labd that runs has come up; what comes back ends when it ends.
    func labdAlive() async -> Int32 {
        let path = directory + "/alive"
        return await blocking { open(path, O_RDONLY | O_CLOEXEC) }
    }

    /// Ends a process and returns when it has closed its descriptors, of which `watched` is the other end of one.
    func kill(_ pid: Int32, watched: Int32) async {
        Glibc.kill(pid, SIGKILL)
        await blocking {
            var byte: UInt8 = 0
            while read(watched, &byte, 1) > 0 {}
            close(watched)
        }
    }

    func killHelper(_ pid: Int32) async { await kill(pid, watched: kd_seqpacket_connect(runtime, "helper.sock")) }

    func end() async {
        if let status = try? await client.status() {
            try? await client.stopDaemon(graceSeconds: 0)
            try? await client.stop()
            _ = status
        }
        if who != .tester { _ = try? await Command(path: "userdel", arguments: [user]).run() }
        _ = try? await Command(path: "rm", arguments: ["-rf", "--one-file-system", directory]).run()
    }

    static var ownPath: String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let n = readlink("/proc/self/exe", &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, n)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

@discardableResult
func sh(_ path: String, _ arguments: [String]) async throws -> String {
    let outcome = try await Command(path: path, arguments: arguments).run()
    try #require(outcome.status == 0, "\(path) \(arguments): \(outcome.errors)")
    return String(decoding: outcome.output, as: UTF8.self)
}

/// Runs what may block away from the tasks' threads.
func blocking<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
    await withCheckedContinuation { done in DispatchQueue(label: "test").async { done.resume(returning: body()) } }
}

/// Calls `body` with a socket address.
private func withAddress<T>(_ address: String, _ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> T) -> T {
    var raw = sockaddr_in()
    raw.sin_family = sa_family_t(AF_INET)
    raw.sin_port = UInt16(port).bigEndian
    raw.sin_addr.s_addr = (IPv4Address(address)?.bits ?? 0).bigEndian
    return withUnsafePointer(to: &raw) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
}

/// A blocking socket of a test. Timeouts of two seconds, so that a lost packet fails a test instead of hanging it.
struct Socket: Sendable {
    let fd: Int32

    init(_ fd: Int32) {
        self.fd = fd
        var limit = timeval(tv_sec: 2, tv_usec: 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    static func tcp() -> Socket { Socket(socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)) }

    func bind(_ address: String, _ port: Int = 0) -> Bool { withAddress(address, port) { Glibc.bind(fd, $0, $1) } == 0 }
    func listen(_ address: String, _ port: Int = 0) -> Bool { bind(address, port) && Glibc.listen(fd, 16) == 0 }
    func connect(_ address: String, _ port: Int) -> Bool { withAddress(address, port) { Glibc.connect(fd, $0, $1) } == 0 }
    func accept() -> Socket { Socket(Glibc.accept(fd, nil, nil)) }
    func end() { close(fd) }
    func finishWriting() { shutdown(fd, Int32(SHUT_WR)) }

    func send(_ bytes: [UInt8], to address: String, _ port: Int) -> Bool {
        withAddress(address, port) { sendto(fd, bytes, bytes.count, 0, $0, $1) } == bytes.count
    }

    @discardableResult
    func write(_ bytes: [UInt8]) -> Bool {
        let noSignal = Int32(MSG_NOSIGNAL)
        var sent = 0
        while sent < bytes.count {
            let n = bytes.withUnsafeBytes {
                Glibc.send(fd, $0.baseAddress?.advanced(by: sent), bytes.count - sent, noSignal)
            }
            if n <= 0 { return false }
            sent += n
        }
        return true
    }

    /// Everything until the other side ends, or `count` bytes.
    func read(_ count: Int = .max) -> [UInt8] {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while all.count < count {
            let n = recv(fd, &buffer, min(buffer.count, count - all.count), 0)
            if n <= 0 { break }
            all += buffer[0..<n]
        }
        return all
    }

    /// Takes one datagram and answers it.
    func answer(_ body: ([UInt8]) -> [UInt8]) {
        var buffer = [UInt8](repeating: 0, count: 65536)
        var peer = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &peer) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                let n = recvfrom(fd, &buffer, buffer.count, 0, address, &size)
                let bytes = body(Array(buffer.prefix(max(0, n))))
                _ = sendto(fd, bytes, bytes.count, 0, address, size)
            }
        }
    }

    /// One datagram.
    func readPacket() -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let n = recv(fd, &buffer, buffer.count, 0)
        return Array(buffer.prefix(max(0, n)))
    }

    var port: Int {
        var raw = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &raw) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(fd, $0, &size) }
        }
        return Int(UInt16(bigEndian: raw.sin_port))
    }
}
