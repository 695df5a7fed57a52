import Foundation
import Logging
import NIOCore
import NIOHTTP1
import Synchronization

@testable import Catalogue
@testable import KubeModel
@testable import KubeServer
@testable import Registry

/// A directory of a test's own, removed when the test ends.
final class Scratch: Sendable {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("kindling-server-\(UUID().uuidString)").path
    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// What a server answered.
struct Answer: Sendable {
    let status: Int
    let headers: HTTPHeaders
    let body: [UInt8]

    var json: JSON { (try? JSONParser.parse(body)) ?? .null }
    var text: String { String(decoding: body, as: UTF8.self) }
    /// The events of a watch that has ended.
    var events: [JSON] { body.split(separator: UInt8(ascii: "\n")).compactMap { try? JSONParser.parse($0) } }
}

/// The same test runs against the router in memory and over a real TLS socket.
protocol Client: Sendable {
    func send(_ method: HTTPMethod, _ uri: String, _ headers: HTTPHeaders, _ body: [UInt8]) async throws -> Answer
}

extension Client {
    func get(_ uri: String, _ headers: HTTPHeaders = [:]) async throws -> Answer { try await send(.GET, uri, headers, []) }

    func send(_ method: HTTPMethod, _ uri: String, _ body: JSON, type: String = "application/json") async throws -> Answer {
        try await send(method, uri, ["Content-Type": type], body.encoded())
    }

    func table(_ uri: String) async throws -> JSON { try await get(uri, ["Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"]).json }
}

/// Knows one administrator, with or without a certificate.
struct Everybody: Authenticator {
    func authenticate(_ credentials: Credentials) async -> User? { User(name: "admin", groups: [User.masters]) }
}

/// A server over a catalogue of its own.
final class Lab: Sendable {
    static let time = Timestamp(seconds: 1_700_000_000)

    let scratch: Scratch
    let catalogue: Catalogue
    let registry: Registry
    let server: APIServer

    init(
        authenticator: any Authenticator = Everybody(), logs: (any PodLogs)? = nil, streams: (any PodStreams)? = nil, window: Int = 20_000,
        limits: HTTPLimits = HTTPLimits(), bookmarkInterval: Duration = .seconds(60), metrics: (any MetricsSource)? = nil
    ) async throws {
        scratch = try Scratch()
        catalogue = try Catalogue(path: scratch.path + "/catalogue.db", window: window)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        registry = try Registry(catalogue: catalogue, logger: logger)
        server = APIServer(
            registry: registry, logs: logs, streams: streams, metrics: metrics, authenticator: authenticator,
            version: VersionInfo(gitVersion: "v1.32.0+test"), limits: limits,
            bookmarkInterval: bookmarkInterval, clock: .fixed(Self.time), logger: logger)
        try await put(GroupResource.namespaces, ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "team"]])
    }

    deinit { try? catalogue.close() }

    /// Stores an object as it is, so that a test decides on its status and times.
    @discardableResult
    func put(_ resource: GroupResource, _ object: JSON) async throws -> StoredObject {
        var object = object
        let name = object["metadata"]["name"].stringValue ?? ""
        let namespace = object["metadata"]["namespace"].stringValue ?? ""
        if !object["metadata"].has("uid") { object["metadata"]["uid"] = .string(UUID().uuidString) }
        if !object["metadata"].has("creationTimestamp") {
            object["metadata"]["creationTimestamp"] = .string((Self.time - .seconds(90)).description)
        }
        let value = object
        return try await catalogue.write { $0.put(ObjectKey(resource, namespace: namespace, name: name), value, intent: nil) }
    }

    @discardableResult
    func configMap(_ name: String, _ data: [String: String] = [:], labels: [String: String] = [:]) async throws -> StoredObject {
        try await put(
            .configMaps,
            [
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": .string(name), "namespace": "team", "labels": JSON(strings: labels.map { ($0, $1) })],
                "data": JSON(strings: data.map { ($0, $1) }),
            ])
    }

    func remove(_ resource: GroupResource, _ name: String) async throws {
        _ = try await catalogue.write { $0.delete(ObjectKey(resource, namespace: "team", name: name)) }
    }

    var router: RouterClient { RouterClient(lab: self) }
}

/// Talks to the router without a socket.
struct RouterClient: Client {
    let lab: Lab
    private var router: Router { lab.server.router }

    func send(_ method: HTTPMethod, _ uri: String, _ headers: HTTPHeaders, _ body: [UInt8]) async throws -> Answer {
        let response = await router.respond(Request(method: method, uri: uri, headers: headers, body: ByteBuffer(bytes: body)))
        let bytes: [UInt8]
        switch response.body {
        case .bytes(let buffer): bytes = Array(buffer.readableBytesView)
        case .upgrade: bytes = []
        case .stream(let stream):
            let collected = Mutex<[UInt8]>([])
            try await stream(BodyWriter { piece in collected.withLock { $0 += piece.readableBytesView } })
            bytes = collected.withLock { $0 }
        }
        return Answer(status: Int(response.status.code), headers: response.headers, body: bytes)
    }

    /// The events of a watch as they come.
    func watch(_ uri: String) async throws -> (events: AsyncStream<JSON>, task: Task<Void, any Error>) {
        let response = await router.respond(Request(method: .GET, uri: uri))
        guard case .stream(let stream) = response.body else { throw APIStatus.internalError("expected a stream, found status \(response.status)") }
        let (events, continuation) = AsyncStream.makeStream(of: JSON.self)
        let task = Task {
            defer { continuation.finish() }
            try await stream(
                BodyWriter { piece in
                    for line in piece.readableBytesView.split(separator: UInt8(ascii: "\n")) {
                        continuation.yield(try JSONParser.parse(Array(line)))
                    }
                })
        }
        return (events, task)
    }
}
