import Glibc
import Images
import KubeModel
import LabNetwork
import Sandbox

/// The real parts behind the node's protocols.
struct SandboxContainerRuntime: ContainerRuntime {
    let runtime: SandboxRuntime

    func start(_ spec: SandboxSpec) async throws -> any RunningContainer {
        do {
            return SandboxContainer(sandbox: try await runtime.start(spec), runtime: runtime)
        } catch let failure as SetupFailure where failure.kind != .abandoned && failure.kind != .lost {
            throw ContainerSetupFailure(description: failure.message)
        }
    }

    func adopt(stateDirectory: String) throws -> AdoptedContainer {
        switch try runtime.adopt(stateDirectory: stateDirectory) {
        case .running(let sandbox): return .running(SandboxContainer(sandbox: sandbox, runtime: runtime))
        case .finished(let record):
            if record.failure?.kind == .abandoned { return .neverStarted }
            return .finished(ContainerExit(record))
        case .lost(let neverStarted): return neverStarted ? .neverStarted : .lost
        }
    }

    func connect(_ address: PodAddress, port: Int) async throws -> SocketStream {
        try runtime.stream(over: try await PodDialer.connect(namespacePath: address.namespacePath, port: port))
    }

    func remove(_ directory: String) async throws { try await runtime.remove(stateDirectory: directory) }

    func terminationMessage(stateDirectory: String) -> [UInt8] { runtime.terminationMessage(stateDirectory: stateDirectory) }

    func share(_ directory: String) throws -> SharedPlaces {
        let places = SharedPlaces(directory: directory)
        try places.make()
        return places
    }

    func unshare(_ directory: String) throws { try SharedPlaces(directory: directory).remove() }
}

struct SandboxContainer: RunningContainer {
    let sandbox: Sandbox
    let runtime: SandboxRuntime

    var startedAt: Timestamp { Timestamp(nanosecondsSince1970: sandbox.startedAt) }
    var namespaces: JoinedNamespaces { sandbox.namespaces }
    var processNamespaces: ProcessNamespaces? { sandbox.processNamespaces }
    func wait() async -> ContainerExit { ContainerExit(await sandbox.wait()) }

    func usage() -> ContainerUsage? {
        guard let statistics = try? sandbox.statistics() else { return nil }
        return ContainerUsage(cpuNanoseconds: UInt64(statistics.cpuNanoseconds), memoryBytes: UInt64(statistics.memoryBytes))
    }

    func exec(_ request: ExecRequest) async throws -> any ContainerProcess {
        do {
            return try await runtime.exec(request, in: sandbox)
        } catch let failure as SetupFailure {
            throw ContainerSetupFailure(description: failure.message)
        }
    }

    func attach(takesInput: Bool) async throws -> any ContainerProcess {
        let program = try await runtime.attach(to: sandbox, takesInput: takesInput)
        return AttachedContainer(program: program, sandbox: sandbox)
    }

    func run(_ command: [String], timeout: Duration?, outputLimit: Int) async throws -> ExecResult {
        do {
            return try await runtime.run(command, in: sandbox, timeout: timeout, outputLimit: outputLimit)
        } catch let failure as SetupFailure {
            throw ContainerSetupFailure(description: failure.message)
        }
    }

    func signal(_ number: Int32) {
        // The only failure is a process that may not be signalled, which is never one of ours; SIGKILL has no error at all.
        if number == SIGKILL { sandbox.kill() } else { try? sandbox.signal(number) }
    }
}

/// Somebody who looks on at a container's own program.
struct AttachedContainer: ContainerProcess {
    let program: AttachedProgram
    let sandbox: Sandbox

    func read(_ stream: ExecProcess.Stream) async throws -> [UInt8]? { try await program.read(stream) }
    func write(_ bytes: [UInt8]) async throws -> Bool { try await program.write(bytes) }
    func closeInput() { program.closeInput() }
    func resize(columns: UInt16, rows: UInt16) { program.resize(columns: columns, rows: rows) }
    func signal(_ number: Int32) { try? sandbox.signal(number) }
    func hangUp() { program.hangUp() }
    /// Of the looking on, which cannot fail; how the container ended is in its pod's status.
    func wait() async -> ExecExit { ExecExit(exitCode: 0) }
}

extension ContainerExit {
    init(_ record: ExitRecord) {
        self.init(
            exitCode: Int(record.exitCode), signal: Int(record.signal), oomKilled: record.oomKilled,
            startedAt: Timestamp(nanosecondsSince1970: record.startedAt), finishedAt: Timestamp(nanosecondsSince1970: record.finishedAt),
            failure: record.failure.map { ContainerSetupFailure(description: $0.message) }, isLost: record.failure?.kind == .lost)
    }
}

struct PodNetworkAdapter: PodNetworking {
    let network: PodNetwork

    func take() async throws -> PodAddress { PodAddress(try await network.take()) }

    func release(_ address: PodAddress) {
        guard let parsed = IPv4Address(address.address), let endpoint = network.endpoint(for: parsed) else { return }
        network.release(endpoint)
    }

    func existing(_ address: String) -> PodAddress? {
        guard let parsed = IPv4Address(address), let endpoint = network.endpoint(for: parsed) else { return nil }
        return PodAddress(endpoint)
    }
}

extension PodAddress {
    init(_ endpoint: PodEndpoint) {
        self.init(address: endpoint.address.description, namespacePath: endpoint.namespacePath)
    }
}

extension ImageStore: ImageResolver {
    var watchedDirectory: String? { directory }
}
