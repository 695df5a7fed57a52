import KubeModel

/// Pods stay for five minutes on a node that is not ready or not reachable, unless they say otherwise (upstream:
/// plugin/pkg/admission/defaulttolerationseconds).
enum TolerationAdmission {
    private static let keys = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]
    private static let seconds: JSON = 300

    static func apply(to pod: inout JSON) {
        let own = pod["spec"]["tolerations"].elements
        let missing = keys.filter { key in
            !own.contains { toleration in
                let (effect, covered) = (toleration["effect"].stringValue ?? "", toleration["key"].stringValue ?? "")
                return (covered.isEmpty || covered == key) && (effect.isEmpty || effect == "NoExecute")
            }
        }
        if missing.isEmpty { return }
        let added: [JSON] = missing.map { ["effect": "NoExecute", "key": .string($0), "operator": "Exists", "tolerationSeconds": seconds] }
        pod["spec"]["tolerations"] = .array(own + added)
    }
}
