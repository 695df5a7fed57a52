import KubeModel

/// Roles that upstream has in namespaces of its own (bootstrappolicy namespace_policy.go), and who has them.
extension DefaultRoles {
    static let namespacedRoles: [JSON] =
        parse(systemTable).map { placed($0, "kube-system", kind: "Role") } + parse(publicTable).map { placed($0, "kube-public", kind: "Role") }

    static let namespacedBindings: [JSON] =
        [
            bound("extension-apiserver-authentication-reader", users: managers, name: "system::extension-apiserver-authentication-reader"),
            bound("system::leader-locking-kube-controller-manager", users: [managers[0]], accounts: ["kube-controller-manager"]),
            bound("system::leader-locking-kube-scheduler", users: [managers[1]], accounts: ["kube-scheduler"]),
        ]
        + ["bootstrap-signer", "cloud-provider", "token-cleaner"].map { bound("system:controller:\($0)", accounts: [$0]) }
        + [bound("system:controller:bootstrap-signer", accounts: ["bootstrap-signer"], in: "kube-public")]

    private static let managers = ["system:kube-controller-manager", "system:kube-scheduler"]

    private static let systemTable = """
        role extension-apiserver-authentication-reader
        core configmaps read extension-apiserver-authentication
        role system:controller:bootstrap-signer
        core secrets read
        role system:controller:cloud-provider
        core configmaps create,read
        role system:controller:token-cleaner
        core secrets delete,read
        core,events.k8s.io events record
        role system::leader-locking-kube-controller-manager
        core configmaps watch
        core configmaps get,update kube-controller-manager
        role system::leader-locking-kube-scheduler
        core configmaps watch
        core configmaps get,update kube-scheduler
        """

    private static let publicTable = """
        role system:controller:bootstrap-signer
        core configmaps read
        core configmaps update cluster-info
        core,events.k8s.io events record
        """

    private static func placed(_ object: JSON, _ namespace: String, kind: String) -> JSON {
        var object = object
        object["kind"] = .string(kind)
        object["metadata"]["namespace"] = .string(namespace)
        return object
    }

    private static func bound(_ role: String, users: [String] = [], accounts: [String] = [], name: String? = nil, in namespace: String = "kube-system") -> JSON {
        let people: [JSON] = users.map { ["apiGroup": .string(RoleRules.group), "kind": "User", "name": .string($0)] }
        let programs: [JSON] = accounts.map { ["kind": "ServiceAccount", "name": .string($0), "namespace": "kube-system"] }
        var object = placed(binding(role, people + programs), namespace, kind: "RoleBinding")
        object["roleRef"]["kind"] = "Role"
        if let name { object["metadata"]["name"] = .string(name) }
        return object
    }
}
