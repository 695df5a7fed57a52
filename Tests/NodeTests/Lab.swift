import Catalogue
import ControllerRuntime
import Glibc
import KubeModel
import Logging
import Registry
import Sandbox
import Testing

@testable import Node

/// Directories of tests.
enum Temporary {
    static func make() throws -> String {
        var template = Array("/tmp/kindling-node-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw FileError(operation: "make", path: "a temporary directory", code: errno) }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    static func remove(_ path: String) {
        for name in Files.list(path) where unlink("\(path)/\(name)") != 0 { remove("\(path)/\(name)") }
        rmdir(path)
    }
}

/// One lab with a fake machine beneath it; its daemon can be killed and started again.
final class Lab {
    let directory: String
    let machine = FakeMachine()
    let network = FakeNetwork()
    let prober = FakeProber()
    let images: FakeImages
    let catalogue: Catalogue
    let registry: Registry
    let client: Client
    private(set) var agent: NodeAgent
    private let devices: DeviceInventory
    private var knownCommands: Set<String> = []
    private var controllers: Task<Void, Never>?

    static func settings(_ directory: String) -> NodeSettings { NodeSettings(name: "here", stateDirectory: directory) }

    static let machine = Machine(
        millicores: 2000, memoryBytes: 4 << 30, storageBytes: 100 << 30, devices: DeviceInventory(), kernel: "6.1", system: "Test", machineID: "m", bootID: "b",
        architecture: "amd64")

    init(devices: DeviceInventory = DeviceInventory()) async throws {
        self.devices = devices
        directory = try Temporary.make()
        images = FakeImages(directory: "\(directory)/environments")
        catalogue = try Catalogue(path: "\(directory)/catalogue.sqlite")
        var logger = Logger(label: "test")
        logger.logLevel = .error
        registry = try Registry(catalogue: catalogue, logger: logger)
        client = Client(registry: registry, manager: "test")
        agent = try Self.agent(directory, registry, machine, network, images, prober, logger, devices)
        for name in ["default", NodeLease.namespace] where client.get(ObjectKey(.namespaces, name: name)) == nil {
            try await client.create(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(name)]])
        }
    }

    deinit {
        controllers?.cancel()
        Temporary.remove(directory)
    }

    private static func agent(
        _ directory: String, _ registry: Registry, _ machine: FakeMachine, _ network: FakeNetwork, _ images: FakeImages,
        _ prober: FakeProber, _ logger: Logger, _ devices: DeviceInventory
    ) throws -> NodeAgent {
        var own = Self.machine
        own.devices = devices
        return try NodeAgent(
            registry: registry, runtime: FakeRuntime(machine: machine), network: network, images: images, settings: settings(directory),
            machine: own, logger: logger, prober: prober)
    }

    func start() async throws {
        try await agent.start()
        let (catalogue, agent) = (catalogue, agent)
        controllers = Task { await ControllerManager(catalogue: catalogue, logger: Logger(label: "test")).run(agent.reconcilers) }
    }

    /// The daemon dies: nothing of it goes on, containers do.
    func kill() async throws {
        controllers?.cancel()
        await controllers?.value
        await agent.shutdown()
        agent = try Self.agent(directory, registry, machine, network, images, prober, Logger(label: "test"), devices)
    }

    /// `lab down`: containers are stopped, then the daemon ends.
    func down() async throws {
        controllers?.cancel()
        await controllers?.value
        _ = await agent.stopPods()
        agent = try Self.agent(directory, registry, machine, network, images, prober, Logger(label: "test"), devices)
    }

    // MARK: Objects

    func key(_ name: String) -> ObjectKey { ObjectKey(.pods, namespace: "default", name: name) }
    func pod(_ name: String) -> StoredObject? { client.get(key(name)) }

    /// A pod of one container called `main`, changed as the test likes.
    static func manifest(_ name: String, _ change: (inout JSON) -> Void = { _ in }) -> JSON {
        var spec: JSON = [
            "restartPolicy": "Never", "containers": [["name": "main", "image": "busybox", "command": ["true"]]],
        ]
        change(&spec)
        return ["apiVersion": "v1", "kind": "Pod", "metadata": ["name": .string(name), "namespace": "default"], "spec": spec]
    }

    func create(_ name: String, _ change: (inout JSON) -> Void = { _ in }) async throws {
        try await client.create(Self.manifest(name, change))
    }

    func script(_ container: String, _ script: Script) { machine.scripts.withLock { $0[container] = script } }

    /// What a command inside any container gives; others run until their time is up.
    func command(_ program: String, _ code: Int32, _ output: String = "") {
        let previous = machine.commands.withLock { $0 }
        let isFirst = knownCommands.isEmpty
        knownCommands.insert(program)
        machine.commands.withLock { commands in
            commands = { identifier, words in
                if words.first == program { return ExecResult(exitCode: code, output: Array(output.utf8)) }
                if !isFirst { return try await previous(identifier, words) }
                return try await Lab.endless(words)
            }
        }
    }

    private static func endless(_ words: [String]) async throws -> ExecResult {
        try await Task.sleep(for: .seconds(3600))
        return ExecResult(exitCode: 0)
    }

    func events(_ reason: String) -> [String] {
        client.list(.events).filter { $0.value["reason"].stringValue == reason }.compactMap { $0.value["message"].stringValue }
    }

    /// Waits until an object satisfies a condition, following its changes; fails the test after some seconds.
    @discardableResult
    func wait(
        _ key: ObjectKey, seconds: Int = 10, _ what: String = "condition", location: SourceLocation = #_sourceLocation,
        _ condition: @escaping @Sendable (StoredObject?) -> Bool
    ) async throws -> StoredObject? {
        let catalogue = catalogue
        let found = await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                let revision = catalogue.revision
                if condition(catalogue.get(key)) { return true }
                guard let watch = try? catalogue.watch(key.resource, since: revision) else { return false }
                for await change in watch where change.object.key == key {
                    if condition(change.kind == .deleted ? nil : change.object) { return true }
                }
                return false
            }
            group.addTask {
                try? await Task.sleep(for: .seconds(seconds))
                return false
            }
            let first = await group.next() ?? false
            group.cancelAll()
            return first
        }
        let object = catalogue.get(key)
        #expect(found, "\(what) of \(key) did not come to be: \(object?.status.text ?? "gone")", sourceLocation: location)
        return object
    }

    @discardableResult
    func waitForPhase(_ name: String, _ phase: String, location: SourceLocation = #_sourceLocation) async throws -> StoredObject? {
        try await wait(key(name), phase, location: location) { $0?.status["phase"].stringValue == phase }
    }

    /// Waits for the waiting reason of the first container.
    @discardableResult
    func waitForReason(_ name: String, _ reason: String, location: SourceLocation = #_sourceLocation) async throws -> StoredObject? {
        try await wait(key(name), reason, location: location) { pod in
            pod?.status["containerStatuses"][0]["state"]["waiting"]["reason"].stringValue == reason
        }
    }

    func waitForEvent(_ reason: String, location: SourceLocation = #_sourceLocation) async throws {
        for _ in 0..<500 {
            if !events(reason).isEmpty { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("no event \(reason)", sourceLocation: location)
    }

    func waitForStart(_ suffix: String, location: SourceLocation = #_sourceLocation) async throws -> FakeContainer {
        for _ in 0..<500 {
            if let container = machine.container(suffix) { return container }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("\(suffix) did not start", sourceLocation: location)
        throw CancellationError()
    }
}

extension StoredObject {
    func condition(_ type: String) -> JSON { status["conditions"].elements.first { $0["type"].stringValue == type } ?? .null }
    var mainStatus: JSON { status["containerStatuses"][0] }
}

extension JSON {
    /// The first container of a pod's spec.
    var main: JSON {
        get { self["containers"][0] }
        set { self["containers"] = .array([newValue] + self["containers"].elements.dropFirst()) }
    }
}
