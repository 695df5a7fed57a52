public import Catalogue

extension GroupResource {
    private static let rbacGroup = "rbac.authorization.k8s.io"
    public static let roles = GroupResource("roles", group: rbacGroup)
    public static let roleBindings = GroupResource("rolebindings", group: rbacGroup)
    public static let clusterRoles = GroupResource("clusterroles", group: rbacGroup)
    public static let clusterRoleBindings = GroupResource("clusterrolebindings", group: rbacGroup)
}
