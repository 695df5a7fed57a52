import Testing

@testable import Access
@testable import Catalogue
@testable import KubeModel
@testable import Registry

@Suite struct AuthorizerTests {
    @Test func aRoleCountsInItsNamespaceAndForItsVerbsOnly() async throws {
        let lab = try await Lab(withDefaults: false)
        try await lab.role("reader", [["apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]]])
        #expect(!lab.may("ann", "get", "pods"))
        try await lab.bind("Role/reader", to: "ann", name: "read")
        #expect(lab.may("ann", "get", "pods"))
        #expect(lab.may("ann", "get", "pods/log"))
        #expect(!lab.may("ann", "delete", "pods"))
        #expect(!lab.may("ann", "get", "pods/exec"))
        #expect(!lab.may("ann", "get", "pods", namespace: "default"))
        #expect(!lab.may("ann", "list", "pods", namespace: ""))
        #expect(!lab.may("bob", "get", "pods"))
        let verdict = lab.authorizer.verdict(User(name: "ann"), AccessRequest(verb: "get", resource: "pods", namespace: "team"))
        #expect(verdict.reason == #"RBAC: allowed by RoleBinding "read/team" of Role "reader" to User "ann""#)
        try await lab.client.delete(ObjectKey(.roleBindings, namespace: "team", name: "read"))
        #expect(!lab.may("ann", "get", "pods"))
    }

    @Test func namesStarsAndSubresources() async throws {
        let lab = try await Lab(withDefaults: false)
        try await lab.role(
            "mixed",
            [
                ["apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["one"], "verbs": ["get"]],
                ["apiGroups": ["*"], "resources": ["*/scale"], "verbs": ["*"]],
            ])
        try await lab.bind("Role/mixed", to: "ann")
        #expect(lab.may("ann", "get", "configmaps", name: "one"))
        #expect(!lab.may("ann", "get", "configmaps", name: "two"))
        #expect(!lab.may("ann", "get", "configmaps"))
        #expect(lab.may("ann", "patch", "deployments/scale", group: "apps"))
        #expect(!lab.may("ann", "patch", "deployments", group: "apps"))
    }

    @Test func pathsOfClusterRoles() async throws {
        let lab = try await Lab()
        func may(_ user: User, _ path: String, _ verb: String = "get") -> Bool {
            lab.authorizer.verdict(user, AccessRequest(verb: verb, path: path)).isAllowed
        }
        let ann = User(name: "ann").asAuthenticated
        #expect(may(ann, "/apis/batch/v1"))
        #expect(may(ann, "/openapi/v2"))
        #expect(!may(ann, "/metrics"))
        #expect(!may(ann, "/apis", "post"))
        #expect(may(.anonymous, "/healthz"))
        // Single checks tell more than whether all is well.
        #expect(!may(.anonymous, "/readyz/ping") && may(.anonymous, "/readyz/"))
        #expect(!may(.anonymous, "/api"))
        #expect(may(User(name: "root", groups: [User.masters]), "/metrics", "delete"))
    }

    @Test func nobodyWithoutCredentialsHasRightsWhateverIsBound() async throws {
        let lab = try await Lab()
        try await lab.bind("ClusterRole/cluster-admin", to: "system:anonymous", namespace: nil)
        #expect(!lab.authorizer.verdict(.anonymous, AccessRequest(verb: "get", resource: "secrets", namespace: "team")).isAllowed)
    }

    @Test func defaultRolesGrantWhatTheirNamesSay() async throws {
        let lab = try await Lab()
        try await lab.bind("ClusterRole/view", to: "viewer")
        try await lab.bind("ClusterRole/edit", to: "editor")
        try await lab.bind("ClusterRole/admin", to: "admin")
        try await lab.bind("ClusterRole/kubeflow-edit", to: "scientist")
        #expect(lab.may("viewer", "list", "pods"))
        #expect(!lab.may("viewer", "get", "secrets"))
        #expect(lab.may("editor", "get", "secrets"))
        #expect(lab.may("editor", "create", "jobs", group: "batch"))
        #expect(!lab.may("editor", "create", "rolebindings", group: RoleRules.group))
        #expect(lab.may("admin", "create", "rolebindings", group: RoleRules.group))
        #expect(lab.may("admin", "delete", "workflows", group: "argoproj.io"))
        #expect(lab.may("scientist", "create", "experiments", group: "kubeflow.org"))
        #expect(lab.may("scientist", "create", "notebooks", group: "kubeflow.org"))
        #expect(!lab.may("scientist", "create", "experiments", group: "kubeflow.org", namespace: "other"))
        #expect(lab.may("anybody", "create", "selfsubjectaccessreviews", group: "authorization.k8s.io", namespace: ""))
    }

    @Test func defaultsComeBackButAdditionsStay() async throws {
        let lab = try await Lab()
        let key = ObjectKey(.clusterRoles, name: "system:basic-user")
        let before = try #require(lab.client.get(key))
        let own: JSON = ["apiGroups": ["example.com"], "resources": ["things"], "verbs": ["get"]]
        try await lab.client.update(key) { $0["rules"] = [own] }
        try await lab.client.delete(ObjectKey(.clusterRoleBindings, name: "system:discovery"))
        try await RoleBootstrap.run(lab.registry)
        let after = try #require(lab.client.get(key)).value["rules"].elements
        #expect(after.first == own)
        #expect(RuleCoverage.missing(from: after.map(PolicyRule.init), before.value["rules"].elements.map(PolicyRule.init)).isEmpty)
        #expect(lab.client.get(.clusterRoleBindings, name: "system:discovery") != nil)
        // Left alone where somebody wants it so, and nothing is written when all is well.
        try await lab.client.update(key) {
            $0["metadata"]["annotations"][DefaultRoles.autoupdate] = "false"
            $0["rules"] = [own]
        }
        let revision = lab.catalogue.revision
        try await RoleBootstrap.run(lab.registry)
        #expect(lab.client.get(key)?.value["rules"] == [own])
        #expect(lab.catalogue.revision == revision)
    }

    @Test func answersWithinMicroseconds() async throws {
        let lab = try await Lab()
        for number in 0..<200 { try await lab.bind("ClusterRole/edit", to: "user-\(number)") }
        _ = lab.may("user-0", "get", "pods")
        let time = ContinuousClock().measure { for number in 0..<1000 { _ = lab.may("user-\(number % 200)", "create", "leases", group: "coordination.k8s.io") } }
        // A debug build on a busy machine; release is some twenty times faster.
        #expect(time < .milliseconds(1000), "1,000 answers took \(time)")
    }
}

@Suite struct EscalationTests {
    private func problem(_ body: () throws -> Void) -> APIStatus? {
        do {
            try body()
            return nil
        } catch { return error as? APIStatus }
    }

    @Test func nobodyGrantsWhatTheyDoNotHold() async throws {
        let lab = try await Lab()
        try await lab.bind("ClusterRole/admin", to: "ann")
        let ann = User(name: "ann", groups: ["g"])
        let escalation = EscalationGuard(authorizer: lab.authorizer)
        func role(_ rules: JSON) -> JSON { ["metadata": ["name": "r", "namespace": "team"], "rules": rules] }
        let held: JSON = [["apiGroups": [""], "resources": ["pods"], "verbs": ["get", "delete"]]]
        #expect(problem { try escalation.check(ann, .roles, role(held), old: nil) } == nil)
        let more: JSON = [["apiGroups": [""], "resources": ["pods", "nodes"], "verbs": ["get", "delete"]]]
        let refusal = problem { try escalation.check(ann, .roles, role(more), old: nil) }
        #expect(refusal?.code == 403)
        #expect(
            refusal?.message == """
                roles.rbac.authorization.k8s.io "r" is forbidden: user "ann" (groups=["g"]) is attempting to grant RBAC permissions not currently held:
                {APIGroups:[""], Resources:["nodes"], Verbs:["get" "delete"]}
                """)
        #expect(problem { try escalation.check(User(name: "root", groups: [User.masters]), .roles, role(more), old: nil) } == nil)
    }

    @Test func bindingNeedsTheRoleOrTheVerb() async throws {
        let lab = try await Lab()
        try await lab.bind("ClusterRole/edit", to: "ann")
        let ann = User(name: "ann")
        let escalation = EscalationGuard(authorizer: lab.authorizer)
        func binding(_ role: String) -> JSON {
            ["metadata": ["name": "b", "namespace": "team"], "roleRef": ["kind": "ClusterRole", "name": .string(role)]]
        }
        #expect(problem { try escalation.check(ann, .roleBindings, binding("view"), old: nil) } == nil)
        #expect(problem { try escalation.check(ann, .roleBindings, binding("admin"), old: nil) }?.code == 403)
        #expect(problem { try escalation.check(ann, .roleBindings, binding("nothing"), old: nil) }?.code == 404)
        try await lab.role(
            "binder", [["apiGroups": [.string(RoleRules.group)], "resources": ["clusterroles"], "resourceNames": ["admin"], "verbs": ["bind"]]])
        try await lab.bind("Role/binder", to: "ann")
        #expect(problem { try escalation.check(ann, .roleBindings, binding("admin"), old: nil) } == nil)
    }

    @Test func aLabelThatAggregatesIsAGrant() async throws {
        let lab = try await Lab()
        try await lab.role("boss", [["apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]]], namespace: nil)
        let old = try #require(lab.client.get(.clusterRoles, name: "boss")).value
        var new = old
        new["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-view"] = "true"
        let escalation = EscalationGuard(authorizer: lab.authorizer)
        #expect(problem { try escalation.check(User(name: "ann"), .clusterRoles, new, old: old) }?.code == 403)
        #expect(problem { try escalation.check(User(name: "ann"), .clusterRoles, old, old: old) } == nil)
    }

    @Test func aggregationNeedsEverything() async throws {
        let lab = try await Lab()
        let role: JSON = [
            "metadata": ["name": "r"], "rules": [], "aggregationRule": ["clusterRoleSelectors": [["matchLabels": ["a": "b"]]]],
        ]
        let escalation = EscalationGuard(authorizer: lab.authorizer)
        #expect(problem { try escalation.check(User(name: "ann"), .clusterRoles, role, old: nil) }?.message.contains("must have cluster-admin privileges") == true)
        try await lab.bind("ClusterRole/cluster-admin", to: "ann", namespace: nil)
        #expect(problem { try escalation.check(User(name: "ann"), .clusterRoles, role, old: nil) } == nil)
    }
}

@Suite struct RoleValidationTests {
    private func causes(_ object: JSON) async throws -> [String] {
        let lab = try await Lab(withDefaults: false)
        do {
            try await lab.client.create(object)
            return []
        } catch let status as APIStatus {
            return status.causes.map { "\($0.field): \($0.message)" }
        }
    }

    @Test func rulesAndBindingsAreChecked() async throws {
        let group: JSON = "rbac.authorization.k8s.io/v1"
        let role = try await causes([
            "apiVersion": group, "kind": "Role", "metadata": ["name": "r", "namespace": "team"],
            "rules": [["verbs": [], "resources": ["pods"]], ["verbs": ["get"], "nonResourceURLs": ["/x"]]],
        ])
        #expect(role.contains("rules[0].verbs: Required value: verbs must contain at least one value"))
        #expect(role.contains("rules[0].apiGroups: Required value: resource rules must supply at least one api group"))
        #expect(role.contains { $0.contains("namespaced rules cannot apply to non-resource URLs") })
        let binding = try await causes([
            "apiVersion": group, "kind": "ClusterRoleBinding", "metadata": ["name": "b"], "roleRef": ["kind": "Role", "name": "r"],
            "subjects": [["kind": "ServiceAccount", "name": "x"]],
        ])
        #expect(binding.contains { $0.hasPrefix("roleRef.kind: Unsupported value") })
        #expect(binding.contains("subjects[0].namespace: Required value"))
    }

    @Test func aBindingsRoleStays() async throws {
        let lab = try await Lab()
        try await lab.bind("ClusterRole/view", to: "ann", name: "b")
        let kind = try #require(lab.registry.kind(.roleBindings))
        let stored = try #require(lab.client.get(.roleBindings, namespace: "team", name: "b"))
        #expect(stored.value["roleRef"]["apiGroup"].stringValue == RoleRules.group)
        #expect(stored.value["subjects"][0]["apiGroup"].stringValue == RoleRules.group)
        var changed = stored.value
        changed["roleRef"]["name"] = "edit"
        let object = changed
        await #expect(throws: APIStatus.self) {
            try await lab.registry.update(kind, namespace: "team", name: "b", object, subresource: nil, WriteOptions(manager: "t"))
        }
    }
}
