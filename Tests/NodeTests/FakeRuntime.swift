import Images
import KubeModel
import Sandbox
import Synchronization

@testable import Node

/// What a fake container does once it has been started.
enum Script: Sendable {
    /// Ends by itself at once.
    case exit(Int)
    /// Runs until it is signalled; ignores SIGTERM where `stubborn`.
    case run(stubborn: Bool = false)
    /// Cannot be started.
    case fail(String)
    /// The daemon cannot start anything.
    case broken(String)
}

/// The kernel's view of fake containers: it outlives every daemon of a test.
final class FakeMachine: Sendable {
    private struct State {
        var containers: [String: FakeContainer] = [:]
        var starts: [String] = []
        var specs: [SandboxSpec] = []
        var lost: Set<String> = []
        var removed: [String] = []
        var crashesBeforeStart = false
    }

    private let state = Mutex(State())
    /// By the container's name.
    let scripts = Mutex<[String: Script]>([:])
    /// What a command run in a container gives; by the container's identifier and the command.
    let commands = Mutex<@Sendable (String, [String]) async throws -> ExecResult>({ _, _ in ExecResult(exitCode: 0) })

    /// Commands that were run, with their containers, and signals, in order: `main-0: sh`, `main-0: signal 15`.
    let history = Mutex<[String]>([])

    /// Directories of what pods shared and have given back.
    let unshared = Mutex<[String]>([])

    /// Identifiers of all containers whose program has ever run, in order.
    var starts: [String] { state.withLock { $0.starts } }
    var specs: [SandboxSpec] { state.withLock { $0.specs } }
    func container(_ suffix: String) -> FakeContainer? {
        state.withLock { state in state.containers.values.first { $0.identifier.hasSuffix(suffix) } }
    }

    /// Forgets how a container ended, as after a power cut.
    func lose(_ suffix: String) {
        state.withLock { state in
            for (path, container) in state.containers where container.identifier.hasSuffix(suffix) { state.lost.insert(path) }
        }
    }

    /// The next start never returns: the daemon dies in the middle of it.
    func crashBeforeNextStart() { state.withLock { $0.crashesBeforeStart = true } }

    fileprivate func start(_ spec: SandboxSpec) async throws -> FakeContainer {
        let script = script(of: spec)
        if case .broken(let problem) = script { throw ContainerRuntimeBroken(description: problem) }
        if state.withLock({ state in
            defer { state.crashesBeforeStart = false }
            return state.crashesBeforeStart
        }) {
            while !Task.isCancelled { try await Task.sleep(for: .seconds(3600)) }
            throw CancellationError()
        }
        let container = FakeContainer(spec.identifier, script, self)
        state.withLock { state in
            state.specs.append(spec)
            state.starts.append(spec.identifier)
            state.containers[spec.stateDirectory] = container
        }
        if case .fail(let problem) = script {
            container.end(ContainerExit(exitCode: 128, startedAt: Timestamp(seconds: 0), finishedAt: .current, failure: .init(description: problem)))
            throw ContainerSetupFailure(description: problem)
        }
        try Files.write([], to: spec.log.path)
        if case .exit(let code) = script { container.exit(code) }
        return container
    }

    private func script(of spec: SandboxSpec) -> Script {
        let parts = spec.stateDirectory.split(separator: "/")
        let name = parts.count >= 2 ? String(parts[parts.count - 2]) : ""
        return scripts.withLock { $0[name] ?? .exit(0) }
    }

    fileprivate func adopt(_ path: String) -> AdoptedContainer {
        state.withLock { state in
            guard let container = state.containers[path] else { return .neverStarted }
            if state.lost.contains(path) { return .lost }
            if let exit = container.exit { return .finished(exit) }
            return .running(container)
        }
    }
}

struct ContainerRuntimeBroken: Error, CustomStringConvertible { let description: String }

final class FakeContainer: RunningContainer {
    let identifier: String
    let startedAt = Timestamp.current
    var namespaces: JoinedNamespaces { JoinedNamespaces(ipc: "/proc/\(identifier)/ns/ipc") }
    private let isStubborn: Bool
    private unowned let machine: FakeMachine
    private let state = Mutex<(exit: ContainerExit?, waiters: [CheckedContinuation<ContainerExit, Never>], signals: [Int32])>((nil, [], []))

    init(_ identifier: String, _ script: Script, _ machine: FakeMachine) {
        self.identifier = identifier
        self.machine = machine
        if case .run(let stubborn) = script { isStubborn = stubborn } else { isStubborn = false }
    }

    var exit: ContainerExit? { state.withLock { $0.exit } }
    var signals: [Int32] { state.withLock { $0.signals } }

    func wait() async -> ContainerExit {
        await withCheckedContinuation { continuation in
            let exit = state.withLock { state -> ContainerExit? in
                if state.exit == nil { state.waiters.append(continuation) }
                return state.exit
            }
            if let exit { continuation.resume(returning: exit) }
        }
    }

    func exec(_ request: ExecRequest) async throws -> any ContainerProcess {
        FakeProcess(result: try await run(request.arguments, timeout: nil, outputLimit: .max))
    }

    func attach(takesInput: Bool) async throws -> any ContainerProcess { FakeProcess(result: ExecResult(exitCode: 0)) }

    func run(_ command: [String], timeout: Duration?, outputLimit: Int) async throws -> ExecResult {
        if exit != nil { throw ContainerRuntimeBroken(description: "the container has ended") }
        note(command.joined(separator: " "))
        return try await machine.commands.withLock { $0 }(identifier, command)
    }

    private func note(_ what: String) {
        let title = identifier.split(separator: "-").suffix(2).joined(separator: "-")
        machine.history.withLock { $0.append("\(title): \(what)") }
    }

    func signal(_ number: Int32) {
        state.withLock { $0.signals.append(number) }
        note("signal \(number)")
        if number == 9 || number == 15 && !isStubborn { exit(128 + Int(number), signal: Int(number)) }
    }

    func exit(_ code: Int, signal: Int = 0, oomKilled: Bool = false) {
        end(ContainerExit(exitCode: code, signal: signal, oomKilled: oomKilled, startedAt: startedAt, finishedAt: .current))
    }

    func end(_ exit: ContainerExit) {
        let waiters = state.withLock { state in
            if state.exit == nil { state.exit = exit }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: exit) }
    }
}

/// A program that has ended already.
final class FakeProcess: ContainerProcess {
    private let result: ExecResult
    private let hasBeenRead = Mutex(false)

    init(result: ExecResult) { self.result = result }

    func read(_ stream: ExecProcess.Stream) async throws -> [UInt8]? {
        guard stream == .output, !result.output.isEmpty else { return nil }
        return hasBeenRead.withLock { hasBeenRead in
            defer { hasBeenRead = true }
            return hasBeenRead ? nil : result.output
        }
    }

    func write(_ bytes: [UInt8]) async throws -> Bool { false }
    func closeInput() {}
    func resize(columns: UInt16, rows: UInt16) {}
    func signal(_ number: Int32) {}
    func hangUp() {}
    func wait() async -> ExecExit { ExecExit(exitCode: result.exitCode) }
}

/// One daemon's hold on the fake machine.
struct FakeRuntime: ContainerRuntime {
    let machine: FakeMachine

    func start(_ spec: SandboxSpec) async throws -> any RunningContainer { try await machine.start(spec) }
    func adopt(stateDirectory: String) throws -> AdoptedContainer { machine.adopt(stateDirectory) }
    func connect(_ address: PodAddress, port: Int) async throws -> SocketStream {
        throw ContainerRuntimeBroken(description: "a fake pod has no network")
    }
    func remove(_ directory: String) async throws { Temporary.remove(directory) }
    func terminationMessage(stateDirectory: String) -> [UInt8] { (try? Files.read("\(stateDirectory)/termination-log")) ?? [] }
    func share(_ directory: String) throws -> SharedPlaces { SharedPlaces(directory: directory) }
    func unshare(_ directory: String) throws { machine.unshared.withLock { $0.append(directory) } }
}

/// Addresses that survive the daemon, as network namespaces do.
final class FakeNetwork: PodNetworking {
    private let state = Mutex<(next: Int, taken: Set<String>)>((2, []))

    var taken: Set<String> { state.withLock { $0.taken } }

    func take() async throws -> PodAddress {
        state.withLock { state in
            let address = "10.88.0.\(state.next)"
            state.next += 1
            state.taken.insert(address)
            return PodAddress(address: address, namespacePath: "/run/netns/\(address)")
        }
    }

    func release(_ address: PodAddress) { state.withLock { _ = $0.taken.remove(address.address) } }

    func existing(_ address: String) -> PodAddress? {
        state.withLock { $0.taken.contains(address) ? PodAddress(address: address, namespacePath: "/run/netns/\(address)") : nil }
    }
}
