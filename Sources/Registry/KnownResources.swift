public import Catalogue

/// The kinds that the lab's own parts name.
extension GroupResource {
    public static let namespaces = GroupResource("namespaces")
    public static let pods = GroupResource("pods")
    public static let configMaps = GroupResource("configmaps")
    public static let secrets = GroupResource("secrets")
    public static let services = GroupResource("services")
    public static let endpoints = GroupResource("endpoints")
    public static let serviceAccounts = GroupResource("serviceaccounts")
    public static let events = GroupResource("events")
    public static let nodes = GroupResource("nodes")
    public static let persistentVolumes = GroupResource("persistentvolumes")
    public static let persistentVolumeClaims = GroupResource("persistentvolumeclaims")
    public static let storageClasses = GroupResource("storageclasses", group: "storage.k8s.io")
    public static let jobs = GroupResource("jobs", group: "batch")
    public static let statefulSets = GroupResource("statefulsets", group: "apps")
    public static let customResourceDefinitions = GroupResource("customresourcedefinitions", group: "apiextensions.k8s.io")
    public static let experiments = GroupResource("experiments", group: "kubeflow.org")
    public static let suggestions = GroupResource("suggestions", group: "kubeflow.org")
    public static let trials = GroupResource("trials", group: "kubeflow.org")
    public static let notebooks = GroupResource("notebooks", group: "kubeflow.org")
    public static let workflows = GroupResource("workflows", group: "argoproj.io")
}
