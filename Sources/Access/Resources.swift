public import Catalogue

extension GroupResource {
    private static let rbacGroup = "rbac.authorization.k8s.io"
    public static let clusterRoles = GroupResource("clusterroles", group: rbacGroup)
}
