import KubeModel

/// The roles and bindings that every lab has: upstream's own (plugin/pkg/auth/authorizer/rbac/bootstrappolicy), Kubeflow's
/// and those of Argo Workflows and Katib that are aggregated into them.
enum DefaultRoles {
    static let bootstrapping = ("kubernetes.io/bootstrapping", "rbac-defaults")
    static let autoupdate = "rbac.authorization.kubernetes.io/autoupdate"

    /// ClusterRoles as they are to be at least.
    static let clusterRoles: [JSON] = parse(clusterRoleTable) + controllerRoles
    /// Bindings of ClusterRoles: role, then groups or users.
    static let clusterRoleBindings: [JSON] = [
        binding("cluster-admin", groups: ["system:masters"]), binding("system:basic-user", groups: ["system:authenticated"]),
        binding("system:discovery", groups: ["system:authenticated"]), binding("system:monitoring", groups: ["system:monitoring"]),
        binding("system:public-info-viewer", groups: ["system:authenticated", "system:unauthenticated"]),
        binding("system:service-account-issuer-discovery", groups: ["system:serviceaccounts"]),
        binding("system:kube-controller-manager", users: ["system:kube-controller-manager"]),
        binding("system:kube-scheduler", users: ["system:kube-scheduler"]), binding("system:volume-scheduler", users: ["system:kube-scheduler"]),
        binding("system:node-proxier", users: ["system:kube-proxy"]), binding("system:node", groups: []),
        kubeDNS,
    ] + controllerBindings

    private static func binding(_ role: String, users: [String] = [], groups: [String] = []) -> JSON {
        func subjects(_ kind: String, _ names: [String]) -> [JSON] {
            names.map { ["apiGroup": .string(RoleRules.group), "kind": .string(kind), "name": .string($0)] }
        }
        return binding(role, subjects("User", users) + subjects("Group", groups))
    }

    private static let kubeDNS = binding("system:kube-dns", [["kind": "ServiceAccount", "name": "kube-dns", "namespace": "kube-system"]])

    static func binding(_ role: String, _ subjects: [JSON]) -> JSON {
        var binding: JSON = [
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": metadata(role, [:]),
            "roleRef": ["apiGroup": .string(RoleRules.group), "kind": "ClusterRole", "name": .string(role)],
        ]
        if !subjects.isEmpty { binding["subjects"] = .array(subjects) }
        return binding
    }

    private static func metadata(_ name: String, _ labels: [String: String]) -> JSON {
        var all = labels
        all[bootstrapping.0] = bootstrapping.1
        return [
            "name": .string(name), "annotations": .object([autoupdate: "true"]),
            "labels": JSON(strings: all.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }),
        ]
    }

    // MARK: The table

    /// Reads the table: `role NAME`, then its lines `into LABEL` (it is aggregated into another role), `gathers LABEL` (others
    /// are aggregated into it), `GROUPS RESOURCES VERBS [NAMES]` or `path PATHS VERBS`, all lists with commas.
    static func parse(_ table: String) -> [JSON] {
        var roles: [JSON] = []
        var labels: [String: String] = [:]
        var rules: [JSON] = []
        var selectors: [JSON] = []
        var name = ""
        func finish() {
            guard !name.isEmpty else { return }
            var role: JSON = ["apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata(name, labels)]
            if !selectors.isEmpty { role["aggregationRule"] = ["clusterRoleSelectors": .array(selectors)] }
            role["rules"] = .array(rules)
            roles.append(role)
            (labels, rules, selectors) = ([:], [], [])
        }
        for line in table.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            switch words.first {
            case "role":
                finish()
                name = words[1]
            case "into": labels[label(words[1])] = "true"
            case "gathers": selectors.append(["matchLabels": .object([label(words[1]): "true"])])
            case "path": rules.append(PolicyRule(verbs: list(words[2]), nonResourceURLs: list(words[1])).json)
            case .some where words.count >= 3:
                rules.append(
                    PolicyRule(
                        verbs: verbs(words[2]), apiGroups: list(words[0]).map { $0 == "core" ? "" : $0 }, resources: list(words[1]),
                        resourceNames: words.count > 3 ? list(words[3]) : []
                    ).json)
            default: break
            }
        }
        finish()
        return roles
    }

    private static func list(_ word: String) -> [String] { word.split(separator: ",").map(String.init) }

    /// `edit` is of upstream, `kubeflow-edit` of Kubeflow.
    private static func label(_ word: String) -> String {
        let domain = word.hasPrefix("kubeflow-") ? "rbac.authorization.kubeflow.org" : "rbac.authorization.k8s.io"
        return "\(domain)/aggregate-to-\(word)"
    }

    private static func verbs(_ word: String) -> [String] {
        list(word).flatMap { verb in
            switch verb {
            case "read": ["get", "list", "watch"]
            case "write": ["create", "delete", "deletecollection", "patch", "update"]
            case "all": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
            case "record": ["create", "patch", "update"]
            default: [verb]
            }
        }
    }
}
