import Catalogue
import KubeModel

/// What LimitRanges of a namespace make of pods and claims, and what they refuse (upstream: plugin/pkg/admission/limitranger).
enum LimitRanger {
    // MARK: Pods

    /// Fills in default requests and limits, then checks bounds and ratios.
    static func admit(pod: inout JSON, _ context: KindRules.Context) throws(APIStatus) {
        let items = items(context)
        if items.isEmpty { return }
        for range in context.catalogue.list(.limitRanges, namespace: context.namespace).objects { fillDefaults(of: range, &pod) }
        var problems: [String] = []
        for item in items {
            switch item["type"].stringValue {
            case "Container":
                for container in pod["spec"]["initContainers"].elements + pod["spec"]["containers"].elements {
                    problems += check(requests: container["resources"]["requests"], limits: container["resources"]["limits"], item, "Container")
                }
            case "Pod":
                let (requests, limits) = (PodUsage.total(of: pod["spec"], "requests"), PodUsage.total(of: pod["spec"], "limits"))
                problems += check(requests: requests, limits: limits, item, "Pod")
            default: break
            }
        }
        try refuse(problems, "pods", pod)
    }

    /// Defaults of one LimitRange, with the annotation that says what was filled in.
    private static func fillDefaults(of range: StoredObject, _ pod: inout JSON) {
        var set: [String] = []
        for item in range.spec["limits"].elements where item["type"].stringValue == "Container" {
            for (list, what) in [("containers", "container"), ("initContainers", "init container")] where pod["spec"].has(list) {
                pod["spec"][list] = .array(pod["spec"][list].elements.map { withDefaults($0, item, what, &set) })
            }
        }
        if !set.isEmpty { pod["metadata"]["annotations"]["kubernetes.io/limit-ranger"] = .string("LimitRanger plugin set: \(set.joined(separator: "; "))") }
    }

    /// An explicit limit with no request is a request: Go's defaults said so before; here only what is missing is filled in.
    private static func withDefaults(_ container: JSON, _ item: JSON, _ what: String, _ set: inout [String]) -> JSON {
        var container = container
        for (source, target, word) in [("defaultRequest", "requests", "request"), ("default", "limits", "limit")] {
            let missing = item[source].members.filter { container["resources"][target][$0.key].isNull }
            for (name, value) in missing { container["resources"][target][name] = value }
            if missing.isEmpty { continue }
            set.append("\(missing.map(\.key).sorted().joined(separator: ", ")) \(word) for \(what) \(container["name"].stringValue ?? "")")
        }
        return container
    }

    // MARK: Claims

    static func admit(claim: JSON, _ context: KindRules.Context) throws(APIStatus) {
        var problems: [String] = []
        let requests = claim["spec"]["resources"]["requests"]
        for item in items(context) where item["type"].stringValue == "PersistentVolumeClaim" {
            for (name, bound) in item["min"].members { problems += minimum(bound, name, requests, [:], "PersistentVolumeClaim", enforcesLimit: false) }
            for (name, bound) in item["max"].members {
                guard let most = Quantity(bound), let asked = Quantity(requests[name]), asked > most else { continue }
                problems.append("maximum \(name) usage per PersistentVolumeClaim is \(text(bound)), but request is \(text(requests[name]))")
            }
        }
        try refuse(problems, "persistentvolumeclaims", claim)
    }

    // MARK: Rules

    private static func items(_ context: KindRules.Context) -> [JSON] {
        context.catalogue.list(.limitRanges, namespace: context.namespace).objects.flatMap { $0.spec["limits"].elements }
    }

    private static func refuse(_ problems: [String], _ plural: String, _ object: JSON) throws(APIStatus) {
        if problems.isEmpty { return }
        let list = problems.count == 1 ? problems[0] : "[\(problems.joined(separator: ", "))]"
        throw .forbidden(plural, group: "", name: object["metadata"]["name"].stringValue ?? "", list)
    }

    private static func check(requests: JSON, limits: JSON, _ item: JSON, _ type: String) -> [String] {
        var problems: [String] = []
        for (name, bound) in item["min"].members { problems += minimum(bound, name, requests, limits, type, enforcesLimit: true) }
        for (name, bound) in item["max"].members { problems += maximum(bound, name, requests, limits, type) }
        for (name, bound) in item["maxLimitRequestRatio"].members { problems += ratio(bound, name, requests, limits, type) }
        return problems
    }

    private static func minimum(_ bound: JSON, _ name: String, _ requests: JSON, _ limits: JSON, _ type: String, enforcesLimit: Bool) -> [String] {
        guard let least = Quantity(bound) else { return [] }
        guard let asked = Quantity(requests[name]) else {
            return ["minimum \(name) usage per \(type) is \(text(bound)).  No request is specified"]
        }
        if asked < least { return ["minimum \(name) usage per \(type) is \(text(bound)), but request is \(text(requests[name]))"] }
        if enforcesLimit, let limit = Quantity(limits[name]), limit < least {
            return ["minimum \(name) usage per \(type) is \(text(bound)), but limit is \(text(limits[name]))"]
        }
        return []
    }

    private static func maximum(_ bound: JSON, _ name: String, _ requests: JSON, _ limits: JSON, _ type: String) -> [String] {
        guard let most = Quantity(bound) else { return [] }
        guard let limit = Quantity(limits[name]) else {
            return ["maximum \(name) usage per \(type) is \(text(bound)).  No limit is specified"]
        }
        if limit > most { return ["maximum \(name) usage per \(type) is \(text(bound)), but limit is \(text(limits[name]))"] }
        if let asked = Quantity(requests[name]), asked > most {
            return ["maximum \(name) usage per \(type) is \(text(bound)), but request is \(text(requests[name]))"]
        }
        return []
    }

    private static func ratio(_ bound: JSON, _ name: String, _ requests: JSON, _ limits: JSON, _ type: String) -> [String] {
        guard let most = Quantity(bound) else { return [] }
        guard let asked = Quantity(requests[name]), !asked.isZero else {
            return ["\(name) max limit to request ratio per \(type) is \(text(bound)), but no request is specified or request is 0"]
        }
        guard let limit = Quantity(limits[name]), !limit.isZero else {
            return ["\(name) max limit to request ratio per \(type) is \(text(bound)), but no limit is specified or limit is 0"]
        }
        let found = limit.doubleValue / asked.doubleValue
        guard found > most.doubleValue else { return [] }
        // Six digits behind the point, as Go's %f; a quotient can be larger than any Int.
        let millionths = Int(min(found * 1_000_000, 1e18).rounded())
        let digits = String(millionths % 1_000_000 + 1_000_000).dropFirst()
        return ["\(name) max limit to request ratio per \(type) is \(text(bound)), but provided ratio is \(millionths / 1_000_000).\(digits)"]
    }

    private static func text(_ value: JSON) -> String { Quantity(value)?.description ?? value.text }
}

/// What a pod asks for as a whole (upstream: component-helpers/resource PodRequests and PodLimits).
enum PodUsage {
    /// - Parameter field: `requests` or `limits`.
    static func amounts(of spec: JSON, _ field: String) -> [String: Quantity] {
        func amounts(_ container: JSON) -> [String: Quantity] { container["resources"][field].members.reduce(into: [:]) { $0[$1.key] = Quantity($1.value) } }
        func add(_ amounts: [String: Quantity], _ total: inout [String: Quantity]) { for (name, amount) in amounts { total[name] = (total[name] ?? .zero) + amount } }
        var total: [String: Quantity] = [:]
        for container in spec["containers"].elements { add(amounts(container), &total) }
        var sidecars: [String: Quantity] = [:]
        var peak: [String: Quantity] = [:]
        for container in spec["initContainers"].elements {
            var need = amounts(container)
            if container["restartPolicy"].stringValue == "Always" {
                add(need, &total)
                add(need, &sidecars)
                need = sidecars
            } else {
                add(sidecars, &need)
            }
            for (name, amount) in need { peak[name] = max(peak[name] ?? .zero, amount) }
        }
        for (name, amount) in peak { total[name] = max(total[name] ?? .zero, amount) }
        for (name, amount) in spec["overhead"].members { if let amount = Quantity(amount) { total[name] = (total[name] ?? .zero) + amount } }
        return total
    }

    static func total(of spec: JSON, _ field: String) -> JSON {
        JSON(strings: amounts(of: spec, field).sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value.description) })
    }
}
