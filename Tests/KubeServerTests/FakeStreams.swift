import Synchronization

@testable import KubeModel
@testable import KubeServer

/// Pods of a test: a command is run by a function, a port echoes what it gets.
final class FakeStreams: PodStreams {
    /// What a command writes, given its input, and its exit code.
    typealias Program = @Sendable (PodCommand, FakeProcess) async -> Int

    let program: Program
    let seen = Mutex<[PodCommand]>([])

    init(_ program: @escaping Program = { _, _ in 0 }) { self.program = program }

    func checkRuns(namespace: String, pod: String, container: String) async throws(APIStatus) {
        if container == "asleep" { throw APIStatus(code: 500, reason: "InternalError", message: "container not found (\"asleep\")") }
    }

    func exec(_ command: PodCommand) async throws -> any PodProcess {
        seen.withLock { $0.append(command) }
        if command.command == ["missing"] { throw APIStatus.badRequest("executable file not found in $PATH") }
        return FakeProcess(command, program)
    }

    func attach(_ command: PodCommand) async throws -> any PodProcess { FakeProcess(command, program) }

    func connect(namespace: String, pod: String, port: Int) async throws -> any PodConnection {
        if port == 1 { throw APIStatus.badRequest("connect: connection refused") }
        return Echo()
    }

    private final class Echo: PodConnection {
        private let inbox = Inbox(limit: 1 << 20)
        func read() async throws -> [UInt8]? { await inbox.next().map { Array($0.readableBytesView) } }
        func write(_ bytes: [UInt8]) async throws -> Bool {
            await inbox.put(.init(bytes: bytes))
            return true
        }
        func closeOutput() { inbox.finish() }
        func close() { inbox.close() }
    }
}

final class FakeProcess: PodProcess {
    let input = Inbox()
    private let output = Inbox()
    private let errors = Inbox()
    private let state = Mutex<(code: Int?, waiters: [CheckedContinuation<Int, Never>], sizes: [[UInt16]])>((nil, [], []))

    init(_ command: PodCommand, _ program: @escaping FakeStreams.Program) {
        Task {
            let code = await program(command, self)
            output.finish()
            errors.finish()
            end(code)
        }
    }

    var sizes: [[UInt16]] { state.withLock { $0.sizes } }
    func print(_ text: String, _ stream: PodOutput = .output) async { await (stream == .output ? output : errors).put(.init(string: text)) }
    func print(_ bytes: [UInt8]) async { await output.put(.init(bytes: bytes)) }

    private func end(_ code: Int) {
        let waiters = state.withLock { state in
            if state.code == nil { state.code = code }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: code) }
    }

    func read(_ stream: PodOutput) async throws -> [UInt8]? {
        let piece = await (stream == .output ? output : errors).next()
        try Task.checkCancellation()
        return piece.map { Array($0.readableBytesView) }
    }
    func write(_ bytes: [UInt8]) async throws -> Bool {
        await input.put(.init(bytes: bytes))
        return true
    }
    func closeInput() { input.finish() }
    func resize(columns: UInt16, rows: UInt16) { state.withLock { $0.sizes.append([columns, rows]) } }
    func hangUp() {
        input.close()
        end(129)
    }
    func wait() async -> Int {
        await withCheckedContinuation { continuation in
            let code = state.withLock { state -> Int? in
                if state.code == nil { state.waiters.append(continuation) }
                return state.code
            }
            if let code { continuation.resume(returning: code) }
        }
    }
}
