import Catalogue
import Foundation
import KubeModel
import Logging

@testable import Registry

/// A registry over a catalogue of its own, with one namespace; users write through it.
final class Lab: Sendable {
    static let namespace = "team"
    let registry: Registry
    private let directory = FileManager.default.temporaryDirectory.appendingPathComponent("kindling-registry-\(UUID().uuidString)").path
    private let options = WriteOptions(manager: "kubectl")

    init(rules: [GroupResource: KindRules] = [:]) async throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let catalogue = try Catalogue(path: directory + "/catalogue.db")
        registry = try Registry(catalogue: catalogue, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, rules: rules)
        try await client.create(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(Self.namespace)]])
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// As a controller writes.
    var client: Client { Client(registry: registry, manager: "test") }

    private func namespace(_ kind: Kind) -> String { kind.isNamespaced ? Self.namespace : "" }

    @discardableResult
    func create(_ object: JSON) async throws -> StoredObject {
        let kind = try registry.kind(of: object)
        return try await registry.create(kind, namespace: namespace(kind), object, options).object
    }

    @discardableResult
    func put(_ object: JSON) async throws -> StoredObject {
        let kind = try registry.kind(of: object)
        let name = object["metadata"]["name"].stringValue ?? ""
        return try await registry.update(kind, namespace: namespace(kind), name: name, object, subresource: nil, options).object
    }

    @discardableResult
    func patch(
        _ resource: GroupResource, _ name: String, _ patch: JSON, _ type: PatchType = .strategic, manager: String = "kubectl"
    ) async throws -> StoredObject {
        guard let kind = registry.kind(resource) else { throw APIStatus.notFound("kinds", group: "", name: "\(resource)") }
        return try await registry.patch(
            kind, namespace: namespace(kind), name: name, patch, type: type, subresource: nil, WriteOptions(manager: manager)
        ).result.object
    }

    @discardableResult
    func delete(_ resource: GroupResource, _ name: String, _ options: DeleteOptions = DeleteOptions()) async throws -> DeleteOutcome {
        guard let kind = registry.kind(resource) else { throw APIStatus.notFound("kinds", group: "", name: "\(resource)") }
        return try await registry.delete(kind, namespace: namespace(kind), name: name, options)
    }

    func get(_ resource: GroupResource, _ name: String) -> StoredObject? {
        client.get(resource, namespace: Self.namespace, name: name) ?? client.get(resource, name: name)
    }
}

enum Samples {
    static func pod(_ name: String, _ spec: JSON = [:], container: JSON = [:], metadata: JSON = [:]) -> JSON {
        var spec = spec
        spec["containers"] = [MergePatch.apply(container, to: ["name": "main", "image": "busybox"])]
        return ["apiVersion": "v1", "kind": "Pod", "metadata": MergePatch.apply(metadata, to: ["name": .string(name)]), "spec": spec]
    }

    static func job(_ name: String, _ spec: JSON = [:], container: JSON = [:]) -> JSON {
        var spec = spec
        spec["template"] = ["spec": ["restartPolicy": "Never", "containers": [MergePatch.apply(container, to: ["name": "main", "image": "busybox"])]]]
        return ["apiVersion": "batch/v1", "kind": "Job", "metadata": ["name": .string(name)], "spec": spec]
    }
}

/// The refusal that a piece of work ends in; nil where it succeeds.
func refusal(_ work: () async throws -> some Any) async throws -> APIStatus? {
    do {
        _ = try await work()
        return nil
    } catch let status as APIStatus {
        return status
    }
}
