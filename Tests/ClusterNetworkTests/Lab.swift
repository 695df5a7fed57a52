import Foundation
import LabNetwork
import Logging

@testable import Catalogue
@testable import ClusterNetwork
@testable import KubeModel
@testable import Registry

/// A catalogue on disk with a registry over it, gone with the test.
final class Lab: Sendable {
    static let namespace = "team"
    private let path = FileManager.default.temporaryDirectory.appendingPathComponent("kindling-cluster-\(UUID().uuidString)").path
    let catalogue: Catalogue
    let client: Client

    init() async throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        catalogue = try Catalogue(path: path + "/catalogue.db")
        client = Client(registry: try Registry(catalogue: catalogue, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }), manager: "test")
        for name in [Self.namespace, "other"] { try await namespace(name) }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func namespace(_ name: String, labels: JSON = [:]) async throws {
        try await client.create(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(name), "labels": labels]])
    }

    @discardableResult
    func service(_ name: String, ports: [JSON] = [["name": "http", "port": 80]], namespace: String = namespace, _ spec: JSON = [:]) async throws -> StoredObject {
        var full: JSON = ["ports": .array(ports)]
        for (key, value) in spec.members { full[key] = value }
        return try await client.create([
            "apiVersion": "v1", "kind": "Service", "metadata": ["name": .string(name), "namespace": .string(namespace)], "spec": full,
        ])
    }

    /// An EndpointSlice with endpoints of these addresses.
    func slice(
        _ service: String, _ addresses: [String], ready: Bool = true, hostnames: [String] = [], port: Int = 8080, portName: String = "http",
        name: String? = nil, namespace: String = namespace
    ) async throws {
        let endpoints = addresses.enumerated().map { index, address -> JSON in
            var endpoint: JSON = ["addresses": [.string(address)], "conditions": ["ready": .bool(ready)]]
            if index < hostnames.count { endpoint["hostname"] = .string(hostnames[index]) }
            return endpoint
        }
        try await client.create([
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": [
                "name": .string(name ?? service), "namespace": .string(namespace), "labels": ["kubernetes.io/service-name": .string(service)],
            ], "endpoints": .array(endpoints), "ports": [["name": .string(portName), "port": JSON(port), "protocol": "TCP"]],
        ])
    }

    @discardableResult
    func pod(
        _ name: String, address: String?, labels: JSON = [:], ports: [JSON] = [], phase: String = "Running", namespace: String = namespace
    ) async throws -> StoredObject {
        let pod = try await client.create([
            "apiVersion": "v1", "kind": "Pod", "metadata": ["name": .string(name), "namespace": .string(namespace), "labels": labels],
            "spec": ["containers": [["name": "main", "image": "busybox", "ports": .array(ports)]]],
        ])
        let changed = try await client.updateStatus(pod.key) { status in
            status["phase"] = .string(phase)
            if let address { status["podIP"] = .string(address) }
        }
        return changed ?? pod
    }
}
