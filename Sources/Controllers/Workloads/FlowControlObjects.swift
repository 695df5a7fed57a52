import KubeModel

/// The FlowSchemas and PriorityLevelConfigurations that every apiserver has (upstream: apiserver/pkg/apis/flowcontrol/bootstrap).
/// Tools list them; no request waits for another because of them.
enum FlowControlObjects {
    private static let apiVersion: JSON = "flowcontrol.apiserver.k8s.io/v1"
    /// Objects that a real apiserver does without none of.
    static let mandatory: Set<String> = ["exempt", "catch-all"]

    // MARK: Levels

    static let levels: [JSON] = [
        level("exempt", ["type": "Exempt", "exempt": ["nominalConcurrencyShares": 0, "lendablePercent": 0]]),
        limited("catch-all", shares: 5, lendable: 0),
        limited("system", shares: 30, lendable: 33, queues: 64, hand: 6), limited("node-high", shares: 40, lendable: 25, queues: 64, hand: 6),
        limited("leader-election", shares: 10, lendable: 0, queues: 16, hand: 4),
        limited("workload-high", shares: 40, lendable: 50, queues: 128, hand: 6),
        limited("workload-low", shares: 100, lendable: 90, queues: 128, hand: 6),
        limited("global-default", shares: 20, lendable: 50, queues: 128, hand: 6),
    ]

    private static func level(_ name: String, _ spec: JSON) -> JSON { object("PriorityLevelConfiguration", name, spec) }

    /// - Parameter queues: 0 refuses what is too much at once.
    private static func limited(_ name: String, shares: Int, lendable: Int, queues: Int = 0, hand: Int = 0) -> JSON {
        var response: JSON = ["type": "Reject"]
        if queues > 0 { response = ["type": "Queue", "queuing": ["queues": JSON(queues), "handSize": JSON(hand), "queueLengthLimit": 50]] }
        return level(
            name,
            [
                "type": "Limited",
                "limited": ["nominalConcurrencyShares": JSON(shares), "lendablePercent": JSON(lendable), "limitResponse": response],
            ])
    }

    // MARK: Schemas

    static let schemas: [JSON] = [
        schema("exempt", "exempt", 1, nil, everything(by: groups("system:masters"))),
        schema("probes", "exempt", 2, nil, probes), schema("system-leader-election", "leader-election", 100, "ByUser", leases(by: controllers)),
        schema("endpoint-controller", "workload-high", 150, "ByUser", endpoints),
        schema("workload-leader-election", "leader-election", 200, "ByUser", leases(by: systemAccounts)),
        schema("system-node-high", "node-high", 400, "ByUser", nodes),
        schema("system-nodes", "system", 500, "ByUser", everything(by: groups("system:nodes"))),
        schema("kube-controller-manager", "workload-high", 800, "ByNamespace", everything(by: users("system:kube-controller-manager"))),
        schema("kube-scheduler", "workload-high", 800, "ByNamespace", everything(by: users("system:kube-scheduler"))),
        schema("kube-system-service-accounts", "workload-high", 900, "ByNamespace", everything(by: systemAccounts)),
        schema("service-accounts", "workload-low", 9000, "ByUser", everything(by: groups("system:serviceaccounts"))),
        schema("global-default", "global-default", 9900, "ByUser", everything(by: everybody)),
        schema("catch-all", "catch-all", 10000, "ByUser", everything(by: everybody)),
    ]

    private static let everybody = groups("system:unauthenticated", "system:authenticated")
    private static let controllers = users("system:kube-controller-manager", "system:kube-scheduler") + systemAccounts
    private static let systemAccounts = accounts("*")
    private static let writes: JSON = ["get", "create", "update"]

    private static let probes: JSON = [
        "subjects": .array(everybody), "nonResourceRules": [["verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]]],
    ]
    private static let endpoints: JSON = [
        "subjects": .array(users("system:kube-controller-manager") + accounts("endpoint-controller", "endpointslicemirroring-controller")),
        "resourceRules": [rule(writes, "", ["endpoints"], ["*"], false)],
    ]
    private static let nodes: JSON = [
        "subjects": .array(groups("system:nodes")),
        "resourceRules": [
            rule(["*"], "", ["nodes", "nodes/status"], ["*"], true), rule(["*"], "coordination.k8s.io", ["leases"], ["*"], false),
        ],
    ]

    private static func leases(by subjects: [JSON]) -> JSON {
        ["subjects": .array(subjects), "resourceRules": [rule(writes, "coordination.k8s.io", ["leases"], ["*"], false)]]
    }

    private static func everything(by subjects: [JSON]) -> JSON {
        [
            "subjects": .array(subjects), "resourceRules": [rule(["*"], "*", ["*"], ["*"], true)],
            "nonResourceRules": [["verbs": ["*"], "nonResourceURLs": ["*"]]],
        ]
    }

    private static func rule(_ verbs: JSON, _ group: String, _ resources: JSON, _ namespaces: JSON, _ clusterScope: Bool) -> JSON {
        var rule: JSON = ["verbs": verbs, "apiGroups": [.string(group)], "resources": resources, "namespaces": namespaces]
        if clusterScope { rule["clusterScope"] = true }
        return rule
    }

    private static func groups(_ names: String...) -> [JSON] { names.map { ["kind": "Group", "group": ["name": .string($0)]] } }
    private static func users(_ names: String...) -> [JSON] { names.map { ["kind": "User", "user": ["name": .string($0)]] } }
    private static func accounts(_ names: String...) -> [JSON] {
        names.map { ["kind": "ServiceAccount", "serviceAccount": ["namespace": "kube-system", "name": .string($0)]] }
    }

    private static func schema(_ name: String, _ level: String, _ precedence: Int, _ method: String?, _ rules: JSON) -> JSON {
        var spec: JSON = ["priorityLevelConfiguration": ["name": .string(level)], "matchingPrecedence": JSON(precedence), "rules": [rules]]
        if let method { spec["distinguisherMethod"] = ["type": .string(method)] }
        return object("FlowSchema", name, spec)
    }

    private static func object(_ kind: String, _ name: String, _ spec: JSON) -> JSON {
        [
            "apiVersion": apiVersion, "kind": .string(kind),
            "metadata": ["name": .string(name), "annotations": .object(["apf.kubernetes.io/autoupdate-spec": "true"])], "spec": spec,
        ]
    }
}
