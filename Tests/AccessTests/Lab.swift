import Foundation
import Logging

@testable import Access
@testable import Catalogue
@testable import KubeModel
@testable import Registry

/// A registry with the default roles, over a catalogue of its own.
final class Lab: Sendable {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("kindling-access-\(UUID().uuidString)").path
    let catalogue: Catalogue
    let registry: Registry
    let authorizer: Authorizer
    var client: Client { Client(registry: registry, manager: "test") }

    init(withDefaults: Bool = true) async throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        catalogue = try Catalogue(path: path + "/catalogue.db")
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        registry = try Registry(catalogue: catalogue, logger: logger, moreRules: AccessRules.all)
        authorizer = Authorizer(catalogue: catalogue)
        try await client.create(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "team"]])
        if withDefaults { try await RoleBootstrap.run(registry) }
    }

    deinit {
        try? catalogue.close()
        try? FileManager.default.removeItem(atPath: path)
    }

    func role(_ name: String, _ rules: JSON, namespace: String? = "team", labels: JSON = [:]) async throws {
        var metadata: JSON = ["name": .string(name), "labels": labels]
        if let namespace { metadata["namespace"] = .string(namespace) }
        try await client.create([
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": namespace == nil ? "ClusterRole" : "Role", "metadata": metadata, "rules": rules,
        ])
    }

    /// Binds `role` (`Role/x` or `ClusterRole/x`) to a user, in a namespace or everywhere.
    func bind(_ role: String, to user: String, namespace: String? = "team", name: String = UUID().uuidString.lowercased()) async throws {
        let parts = role.split(separator: "/").map(String.init)
        var metadata: JSON = ["name": .string(name)]
        if let namespace { metadata["namespace"] = .string(namespace) }
        try await client.create([
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": namespace == nil ? "ClusterRoleBinding" : "RoleBinding", "metadata": metadata,
            "roleRef": ["kind": .string(parts[0]), "name": .string(parts[1])], "subjects": [["kind": "User", "name": .string(user)]],
        ])
    }

    func may(_ user: String, _ verb: String, _ resource: String, group: String = "", namespace: String = "team", name: String = "") -> Bool {
        let parts = resource.split(separator: "/").map(String.init)
        let request = AccessRequest(
            verb: verb, group: group, resource: parts[0], subresource: parts.count > 1 ? parts[1] : "", namespace: namespace, name: name)
        return authorizer.verdict(User(name: user).asAuthenticated, request).isAllowed
    }
}
