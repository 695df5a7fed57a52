import Glibc
import Sandbox
import Synchronization
import Testing

/// Containers need mounts and namespaces: run as root, or as root of a user namespace (`unshare -Urmn`, `unshare -Umn
/// --map-root-user --map-auto`), where the same tests hold.
enum Machine {
    static let canSandbox = geteuid() == 0 && access(shimPath, X_OK) == 0 && access("/usr/bin/python3", X_OK) == 0

    /// Built beside the test bundle.
    static let shimPath: String = {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        let path = String(decoding: buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // `swift test` may run the bundle in a helper of the toolchain; its argument names the bundle then.
        let places = [path] + CommandLine.arguments
        let directories = places.compactMap { place in place.lastIndex(of: "/").map { place[..<$0] } }
        return directories.map { "\($0)/lab-shim" }.first { access($0, X_OK) == 0 } ?? "/nonexistent/lab-shim"
    }()

    /// How many ids this process may give away: all, some or one.
    static let hasOneId = (try? text(of: "/proc/self/uid_map"))?.split(whereSeparator: \.isWhitespace).last == "1"

    static func text(of path: String) throws -> String {
        String(decoding: try bytes(of: path), as: UTF8.self)
    }

    static func bytes(of path: String) throws -> [UInt8] {
        guard let file = fopen(path, "r") else { throw SandboxError.system(operation: "open \(path)", errno: errno) }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            if count == 0 { return bytes }
            bytes.append(contentsOf: chunk[0..<count])
        }
    }

    static func write(_ text: String, to path: String) throws {
        guard let file = fopen(path, "w") else { throw SandboxError.system(operation: "create \(path)", errno: errno) }
        fputs(text, file)
        fclose(file)
    }

    /// Processes that carry `word` in their command line, as seen from here.
    static func processes(with word: String) -> Int {
        guard let stream = opendir("/proc") else { return -1 }
        defer { closedir(stream) }
        var count = 0
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            guard Int(name) != nil, let line = try? text(of: "/proc/\(name)/cmdline") else { continue }
            if line.contains(word) { count += 1 }
        }
        return count
    }
}

/// One line of a log in CRI's format.
struct LogLine: Equatable {
    var stream: String
    var isPartial: Bool
    var text: String

    /// "2006-01-02T15:04:05.999999999Z stdout F text": the columns before the text have a fixed width.
    static func parse(_ path: String) throws -> [LogLine] {
        try Machine.bytes(of: path).split(separator: UInt8(ascii: "\n")).compactMap { line in
            let start = line.startIndex
            guard line.count >= 40, line[start + 29] == UInt8(ascii: "Z"), line[start + 39] == UInt8(ascii: " ") else { return nil }
            return LogLine(
                stream: String(decoding: line[(start + 31)..<(start + 37)], as: UTF8.self),
                isPartial: line[start + 38] == UInt8(ascii: "P"), text: String(decoding: line[(start + 40)...], as: UTF8.self))
        }
    }
}

/// A directory with a small root, and the runtime that all tests share.
final class Harness: Sendable {
    static let runtime = Result {
        try SandboxRuntime(configuration: SandboxConfiguration(shimPath: Machine.shimPath, instance: "test", warmSupervisors: 2))
    }
    private static let counter = Atomic<Int>(0)

    let directory: String
    let runtime: SandboxRuntime
    private let root: String

    init() throws {
        let number = Self.counter.add(1, ordering: .relaxed).newValue
        directory = "/tmp/kindling-test-\(getpid())-\(number)"
        runtime = try Self.runtime.get()
        root = directory + "/root"
        try Self.makeDirectory(directory)
        try Self.makeDirectory(root)
        for name in ["usr", "etc", "tmp", "proc", "sys", "dev", "var", "root"] { try Self.makeDirectory("\(root)/\(name)") }
        for name in ["bin", "sbin", "lib", "lib64"] { symlink("usr/\(name)", "\(root)/\(name)") }
        try Machine.write("root:x:0:0:root:/root:/bin/sh\n", to: "\(root)/etc/passwd")
    }

    func finish() async throws { try await runtime.remove(stateDirectory: directory) }

    static func makeDirectory(_ path: String) throws {
        guard mkdir(path, 0o755) == 0 else { throw SandboxError.system(operation: "make \(path)", errno: errno) }
    }

    /// A container over the host's /usr, with a state directory of its own.
    func spec(_ arguments: String...) throws -> SandboxSpec {
        let name = "c\(Self.counter.add(1, ordering: .relaxed).newValue)"
        try Self.makeDirectory("\(directory)/\(name)")
        var spec = SandboxSpec(
            identifier: name, stateDirectory: "\(directory)/\(name)", rootLower: [root], arguments: arguments,
            log: LogPolicy(path: "\(directory)/\(name).log"))
        spec.mounts = [Mount(kind: .bind(source: "/usr", subPath: nil), target: "/usr", readOnly: true)]
        return spec
    }

    func shell(_ script: String) throws -> SandboxSpec { try spec("sh", "-c", script) }

    func run(_ spec: SandboxSpec) async throws -> (exit: ExitRecord, log: [LogLine]) {
        let sandbox = try await runtime.start(spec)
        let record = await sandbox.wait()
        return (record, try log(spec))
    }

    func output(_ spec: SandboxSpec) async throws -> String {
        let result = try await run(spec)
        return result.log.map(\.text).joined(separator: "\n")
    }

    func log(_ spec: SandboxSpec) throws -> [LogLine] {
        try LogLine.parse(spec.log.path)
    }
}

/// Runs `body` with a harness and removes all it made.
func withHarness(_ body: (Harness) async throws -> Void) async throws {
    let harness = try Harness()
    do {
        try await body(harness)
    } catch {
        try? await harness.finish()
        throw error
    }
    try await harness.finish()
}
