import KubeModel
import KubeServer
import Node
import Sandbox

/// The node's containers as the API streams to and from them.
struct PodStreamsAdapter: PodStreams {
    let agent: NodeAgent

    func checkRuns(namespace: String, pod: String, container: String) async throws(APIStatus) {
        try await agent.checkRuns(namespace: namespace, pod: pod, container: container)
    }

    func exec(_ command: PodCommand) async throws -> any PodProcess {
        let request = ExecRequest(command.command, takesInput: command.takesInput, usesTerminal: command.usesTerminal)
        let process = try await agent.exec(namespace: command.namespace, pod: command.pod, container: command.container, request)
        return PodProcessAdapter(process: process)
    }

    func attach(_ command: PodCommand) async throws -> any PodProcess {
        let process = try await agent.attach(
            namespace: command.namespace, pod: command.pod, container: command.container, takesInput: command.takesInput || command.usesTerminal)
        return PodProcessAdapter(process: process)
    }

    func connect(namespace: String, pod: String, port: Int) async throws -> any PodConnection {
        PodConnectionAdapter(stream: try await agent.connect(namespace: namespace, pod: pod, port: port))
    }
}

private struct PodProcessAdapter: PodProcess {
    let process: any ContainerProcess

    func read(_ stream: PodOutput) async throws -> [UInt8]? { try await process.read(stream == .output ? .output : .error) }
    func write(_ bytes: [UInt8]) async throws -> Bool { try await process.write(bytes) }
    func closeInput() { process.closeInput() }
    func resize(columns: UInt16, rows: UInt16) { process.resize(columns: columns, rows: rows) }
    func hangUp() { process.hangUp() }
    func wait() async -> Int { Int(await process.wait().exitCode) }
}

private struct PodConnectionAdapter: PodConnection {
    let stream: SocketStream

    func read() async throws -> [UInt8]? { try await stream.read() }
    func write(_ bytes: [UInt8]) async throws -> Bool { try await stream.write(bytes) }
    func closeOutput() { stream.closeOutput() }
    func close() { stream.close() }
}
