public import Catalogue
public import KubeModel
public import Registry

/// Makes the default roles and bindings where they are missing and gives back to them what they lost, at every start, as
/// upstream's apiserver does (pkg/registry/rbac/rest, component-helpers auth/rbac/reconciliation). What somebody added stays;
/// a role or binding whose annotation `rbac.authorization.kubernetes.io/autoupdate` is `"false"` is left alone.
public enum RoleBootstrap {
    public static func run(_ registry: Registry) async throws {
        let client = Client(registry: registry, manager: "labd")
        // Writes at the same time share one commit.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for role in DefaultRoles.clusterRoles { group.addTask { try await reconcile(role, .clusterRoles, client, restore: restore) } }
            for binding in DefaultRoles.clusterRoleBindings {
                group.addTask { try await reconcile(binding, .clusterRoleBindings, client, restore: restoreBinding) }
            }
            try await group.waitForAll()
        }
        try await aggregate(client)
    }

    /// The same for roles in namespaces, which have to be there.
    public static func runInNamespaces(_ registry: Registry) async throws {
        let client = Client(registry: registry, manager: "labd")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for role in DefaultRoles.namespacedRoles { group.addTask { try await reconcile(role, .roles, client, restore: restore) } }
            for binding in DefaultRoles.namespacedBindings { group.addTask { try await reconcile(binding, .roleBindings, client, restore: restoreBinding) } }
            try await group.waitForAll()
        }
    }

    /// Fills aggregated roles until nothing changes: a role may be gathered into one that is gathered itself.
    private static func aggregate(_ client: Client) async throws {
        for _ in 0..<8 {
            let roles = client.list(.clusterRoles)
            var hasChanged = false
            for role in roles where ClusterRoleAggregation.isAggregated(role.value) {
                let wanted = JSON.array(ClusterRoleAggregation.rules(for: role.value, among: roles))
                guard role.value["rules"] != wanted else { continue }
                hasChanged = true
                try await client.update(role.key, uid: role.uid) { $0["rules"] = wanted }
            }
            if !hasChanged { return }
        }
    }

    private static func reconcile(
        _ wanted: JSON, _ resource: GroupResource, _ client: Client, restore: @escaping @Sendable (inout JSON, JSON) -> Void
    ) async throws {
        let name = wanted["metadata"]["name"].stringValue ?? ""
        guard let existing = client.get(resource, namespace: wanted["metadata"]["namespace"].stringValue ?? "", name: name) else {
            try await client.create(wanted)
            return
        }
        if existing.annotations[DefaultRoles.autoupdate] == "false" { return }
        if [.clusterRoleBindings, .roleBindings].contains(resource), existing.value["roleRef"] != wanted["roleRef"] {
            // A binding's role cannot be changed.
            try await client.delete(existing.key, uid: existing.uid)
            try await client.create(wanted)
            return
        }
        try await client.update(existing.key, uid: existing.uid) { restore(&$0, wanted) }
    }

    private static func restoreMetadata(_ object: inout JSON, _ wanted: JSON) {
        for map in ["labels", "annotations"] {
            for (key, value) in wanted["metadata"][map].members where object["metadata"][map][key] != value { object["metadata"][map][key] = value }
        }
    }

    private static func restore(_ role: inout JSON, _ wanted: JSON) {
        restoreMetadata(&role, wanted)
        if ClusterRoleAggregation.isAggregated(wanted) {
            let own = role["aggregationRule"]["clusterRoleSelectors"].elements
            let missing = wanted["aggregationRule"]["clusterRoleSelectors"].elements.filter { !own.contains($0) }
            if !missing.isEmpty { role["aggregationRule"]["clusterRoleSelectors"] = .array(own + missing) }
            return
        }
        let own = role["rules"].elements
        let missing = RuleCoverage.missing(from: own.map(PolicyRule.init), wanted["rules"].elements.map(PolicyRule.init))
        if !missing.isEmpty { role["rules"] = .array(own + missing.map(\.json)) }
    }

    private static func restoreBinding(_ binding: inout JSON, _ wanted: JSON) {
        restoreMetadata(&binding, wanted)
        let own = binding["subjects"].elements
        let missing = wanted["subjects"].elements.filter { !own.contains($0) }
        if !missing.isEmpty { binding["subjects"] = .array(own + missing) }
    }
}
