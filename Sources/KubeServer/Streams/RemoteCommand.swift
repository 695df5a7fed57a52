import KubeModel
import NIOCore

/// How the streams of a remote command reach its client; one implementation a wire protocol.
protocol CommandTransport: Sendable {
    /// What the client types; `nil` where it has no such stream.
    var input: Inbox? { get }
    /// JSON values `{"Width": …, "Height": …}`, cut anywhere.
    var sizes: Inbox? { get }
    /// Waits while the client is slow.
    func send(_ bytes: [UInt8], _ stream: PodOutput) async throws
    /// Tells how it went, and that nothing more comes.
    func finish(_ outcome: CommandOutcome) async throws
}

/// How a remote command ended, as clients are told (upstream: kubelet/pkg/cri/streaming/remotecommand ServeExec).
enum CommandOutcome: Sendable, Equatable {
    case success
    case exitCode(Int, command: [String])
    case failure(String)

    /// The `v1.Status` of protocol versions 4 and 5.
    var status: JSON {
        switch self {
        case .success: return ["metadata": [:], "status": "Success"]
        case .exitCode(let code, _):
            return [
                "metadata": [:], "status": "Failure", "message": .string(text), "reason": "NonZeroExitCode",
                "details": ["causes": [["reason": "ExitCode", "message": .string(String(code))]]],
            ]
        case .failure(let problem):
            return [
                "metadata": [:], "status": "Failure", "message": .string(text), "reason": "InternalError",
                "details": ["causes": [["message": .string(problem)]]], "code": 500,
            ]
        }
    }

    /// What older protocols say; empty for success.
    var text: String {
        switch self {
        case .success: ""
        case .exitCode(let code, let command):
            "command terminated with non-zero exit code: error executing command [\(command.joined(separator: " "))], exit code \(code)"
        case .failure(let problem): "Internal error occurred: \(problem)"
        }
    }
}

/// Runs a command in a container and joins its streams with a client's.
struct RemoteCommand: Sendable {
    let command: PodCommand
    let streams: any PodStreams

    func run(over transport: some CommandTransport) async throws {
        defer {
            transport.input?.close()
            transport.sizes?.close()
        }
        let process: any PodProcess
        do {
            process = command.command.isEmpty ? try await streams.attach(command) : try await streams.exec(command)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            let what = command.command.isEmpty ? "error attaching to container" : "error executing command in container"
            return try await transport.finish(.failure("\(what): \(error)"))
        }
        let code = try await withTaskCancellationHandler { try await join(process, transport) } onCancel: { process.hangUp() }
        try await transport.finish(code == 0 ? .success : .exitCode(code, command: command.command))
    }

    /// Carries everything to and fro until the program has ended and all that it wrote is sent.
    private func join(_ process: any PodProcess, _ transport: some CommandTransport) async throws -> Int {
        defer { process.hangUp() }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await type(transport.input, to: process) }
            group.addTask { await resize(transport.sizes, process) }
            async let errors: Void = copy(.error, of: process, isWanted: command.wantsErrors && !command.usesTerminal, to: transport)
            try await copy(.output, of: process, isWanted: command.wantsOutput, to: transport)
            try await errors
            let code = await process.wait()
            try Task.checkCancellation()
            group.cancelAll()
            return code
        }
    }

    private func copy(_ stream: PodOutput, of process: any PodProcess, isWanted: Bool, to transport: some CommandTransport) async throws {
        while let piece = try await process.read(stream) {
            if isWanted { try await transport.send(piece, stream) }
        }
    }

    private func type(_ input: Inbox?, to process: any PodProcess) async {
        var isReading = true
        while let piece = await input?.next() {
            // What a program does not read is dropped, so that the rest of the connection goes on.
            if isReading { isReading = (try? await process.write(Array(piece.readableBytesView))) ?? false }
        }
        process.closeInput()
    }

    private func resize(_ sizes: Inbox?, _ process: any PodProcess) async {
        var parser = TerminalSizes()
        while let piece = await sizes?.next() {
            for size in parser.take(piece) { process.resize(columns: size.columns, rows: size.rows) }
        }
    }
}

/// Reads JSON values `{"Width":80,"Height":24}` that come one after the other, cut anywhere. What is none is passed over.
struct TerminalSizes {
    struct Size: Equatable {
        var columns: UInt16
        var rows: UInt16
    }

    private static let limit = 4096
    private var rest: [UInt8] = []

    mutating func take(_ piece: ByteBuffer) -> [Size] {
        rest += piece.readableBytesView
        var sizes: [Size] = []
        while let end = rest.firstIndex(of: UInt8(ascii: "}")) {
            if let json = try? JSONParser.parse(Array(rest[...end])), let columns = json["Width"].intValue, let rows = json["Height"].intValue,
                let columns = UInt16(exactly: columns), let rows = UInt16(exactly: rows)
            {
                sizes.append(Size(columns: columns, rows: rows))
            }
            rest.removeSubrange(...end)
        }
        if rest.count > Self.limit { rest = [] }
        return sizes
    }
}
