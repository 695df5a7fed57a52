import Catalogue
import KubeModel
import Registry

/// The APIService of each group version that this server answers itself (upstream: pkg/controlplane/apiserver/aggregator.go, and
/// crdregistration for the groups of CustomResourceDefinitions).
struct APIServicePlan: Sendable {
    static let label = "kube-aggregator.kubernetes.io/automanaged"

    /// Where a group stands among the others, and a version of it among its versions; groups not named here are a user's.
    private static let priorities: [String: (group: Int, version: Int)] = [
        "v1.": (18000, 1), "v1.apps": (17800, 15), "v1.events.k8s.io": (17750, 15), "v1.authentication.k8s.io": (17700, 15),
        "v1.authorization.k8s.io": (17600, 15), "v1.autoscaling": (17500, 15), "v2.autoscaling": (17500, 30), "v1.batch": (17400, 15),
        "v1.certificates.k8s.io": (17300, 15), "v1.networking.k8s.io": (17200, 15), "v1.policy": (17100, 15),
        "v1.rbac.authorization.k8s.io": (17000, 15), "v1.storage.k8s.io": (16800, 15), "v1.apiextensions.k8s.io": (16700, 15),
        "v1.admissionregistration.k8s.io": (16700, 15), "v1.scheduling.k8s.io": (16600, 15), "v1.coordination.k8s.io": (16500, 15),
        "v1.node.k8s.io": (16300, 15), "v1.discovery.k8s.io": (16200, 15), "v1.flowcontrol.apiserver.k8s.io": (16100, 21),
        // Elsewhere these are of metrics-server's making, with these priorities.
        "v1beta1.metrics.k8s.io": (100, 100),
    ]

    struct GroupVersion: Hashable, Sendable {
        let group: String
        let version: String
        var name: String { "\(version).\(group)" }
    }

    let registry: Registry
    /// Group versions that are answered but of which nothing is stored.
    let answered: [GroupVersion]

    /// All that is served now. The aggregator's own group has no APIService, as upstream. Definitions are read where they are stored: the
    /// table of kinds follows a moment after.
    var served: Set<GroupVersion> {
        let builtIn = registry.kinds.filter { $0.group.isEmpty || registry.isBuiltIn("\($0.plural).\($0.group)") }
        let defined = registry.catalogue.list(.customResourceDefinitions).objects.filter { DefinitionNames.isTrue($0.value, "Established") }.flatMap { definition in
            definition.spec["versions"].elements.filter { $0["served"].boolValue == true }.map { version in
                GroupVersion(group: definition.spec["group"].stringValue ?? "", version: version["name"].stringValue ?? "")
            }
        }
        return Set(builtIn.map { GroupVersion(group: $0.group, version: $0.version) } + defined + answered).filter { $0.group != "apiregistration.k8s.io" }
    }

    /// The object for a group version; it is available for as long as anything is.
    static func object(_ place: GroupVersion, now: Timestamp) -> JSON {
        let priority = priorities[place.name]
        return [
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
            "metadata": ["name": .string(place.name), "labels": [label: priority == nil ? "true" : "onstart"]],
            "spec": [
                "group": .string(place.group), "version": .string(place.version),
                "groupPriorityMinimum": JSON(priority?.group ?? 1000), "versionPriority": JSON(priority?.version ?? 100),
            ],
            "status": ["conditions": [local(now)]],
        ]
    }

    static func local(_ now: Timestamp) -> JSON { condition(true, "Local", "Local APIServices are always available", now) }

    static func condition(_ holds: Bool, _ reason: String, _ message: String, _ now: Timestamp) -> JSON {
        [
            "type": "Available", "status": holds ? "True" : "False", "lastTransitionTime": .string(now.description), "reason": .string(reason),
            "message": .string(message),
        ]
    }

    /// Whether this server made the object and may take it away.
    static func isManaged(_ object: StoredObject) -> Bool { ["true", "onstart"].contains(object.labels[label] ?? "") }
}
