import Catalogue
import KubeModel

/// Everything that roles and bindings say, arranged by who it is for. Immutable: made anew when one of them changes.
struct AccessPolicy: Sendable {
    /// The rules that one binding gives to one subject.
    struct Grant: Sendable {
        /// e.g. `RoleBinding "read/team" of Role "reader" to User "ann"`.
        let description: String
        let rules: [PolicyRule]
        /// The role is not there: what upstream says of that.
        let problem: String?
    }

    /// Grants by the name of a user and of a group; a ServiceAccount is the user that stands for it.
    struct Grants: Sendable {
        private var byUser: [String: [Grant]] = [:]
        private var byGroup: [String: [Grant]] = [:]

        func of(_ user: User) -> [Grant] { (byUser[user.name] ?? []) + user.groups.flatMap { byGroup[$0] ?? [] } }

        /// The first grant that satisfies a condition. No list is made on the way.
        func first(for user: User, where condition: (Grant) -> Bool) -> Grant? {
            if let found = byUser[user.name]?.first(where: condition) { return found }
            for group in user.groups { if let found = byGroup[group]?.first(where: condition) { return found } }
            return nil
        }

        mutating func add(_ binding: StoredObject, rules: [PolicyRule]?) {
            let role = binding.value["roleRef"]
            let (kind, name) = (role["kind"].stringValue ?? "", role["name"].stringValue ?? "")
            let isCluster = binding.key.resource == .clusterRoleBindings
            let what =
                isCluster
                ? "ClusterRoleBinding \(GoText.quoted(binding.name))" : "RoleBinding \(GoText.quoted("\(binding.name)/\(binding.namespace)"))"
            let resource = kind == "Role" ? "role" : "clusterrole"
            let problem = rules == nil ? "\(resource).rbac.authorization.k8s.io \(GoText.quoted(name)) not found" : nil
            for subject in binding.value["subjects"].elements {
                let subjectName = subject["name"].stringValue ?? ""
                func grant(_ text: String) -> Grant {
                    Grant(description: "\(what) of \(kind) \(GoText.quoted(name)) to \(text)", rules: rules ?? [], problem: problem)
                }
                switch subject["kind"].stringValue {
                case "User": byUser[subjectName, default: []].append(grant("User \(GoText.quoted(subjectName))"))
                case "Group": byGroup[subjectName, default: []].append(grant("Group \(GoText.quoted(subjectName))"))
                case "ServiceAccount":
                    let own = subject["namespace"].stringValue ?? ""
                    let namespace = own.isEmpty ? binding.namespace : own
                    guard !namespace.isEmpty else { continue }
                    byUser[ServiceAccountName.user(namespace: namespace, name: subjectName), default: []].append(
                        grant("ServiceAccount \(GoText.quoted("\(subjectName)/\(namespace)"))"))
                default: continue
                }
            }
        }
    }

    private(set) var cluster = Grants()
    private(set) var namespaces: [String: Grants] = [:]
    private let clusterRoles: [String: [PolicyRule]]
    private let roles: [ObjectKey: [PolicyRule]]

    init() {
        clusterRoles = [:]
        roles = [:]
    }

    init(_ catalogue: Catalogue) {
        func rules(_ object: StoredObject) -> [PolicyRule] { object.value["rules"].elements.map(PolicyRule.init) }
        var clusterRoles: [String: [PolicyRule]] = [:]
        for role in catalogue.list(.clusterRoles).objects { clusterRoles[role.name] = rules(role) }
        var roles: [ObjectKey: [PolicyRule]] = [:]
        for role in catalogue.list(.roles).objects { roles[role.key] = rules(role) }
        self.clusterRoles = clusterRoles
        self.roles = roles
        for binding in catalogue.list(.clusterRoleBindings).objects { cluster.add(binding, rules: self.rules(of: binding.value["roleRef"], namespace: "")) }
        for binding in catalogue.list(.roleBindings).objects {
            namespaces[binding.namespace, default: Grants()].add(
                binding, rules: self.rules(of: binding.value["roleRef"], namespace: binding.namespace))
        }
    }

    /// The rules of the role that a binding names; `nil` where there is none.
    func rules(of reference: JSON, namespace: String) -> [PolicyRule]? {
        let name = reference["name"].stringValue ?? ""
        switch reference["kind"].stringValue {
        case "ClusterRole": return clusterRoles[name]
        case "Role" where !namespace.isEmpty: return roles[ObjectKey(.roles, namespace: namespace, name: name)]
        default: return nil
        }
    }

    /// The grants that count for a user in a namespace; only those of the whole cluster where it is empty.
    func grants(of user: User, namespace: String) -> [Grant] {
        cluster.of(user) + (namespace.isEmpty ? [] : namespaces[namespace]?.of(user) ?? [])
    }
}
