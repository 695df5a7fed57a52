import Catalogue
import KubeModel

/// Refuses what would exceed a ResourceQuota and charges what does not, in the very write that makes the object: two writers
/// can never share the last place (upstream: apiserver/pkg/admission/plugin/resourcequota/controller.go).
enum QuotaAdmission {
    /// Names that every container has to give where a quota counts them.
    private static let compute: Set<String> = ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"]

    /// - Parameter old: the object before an update; only what it grows by is charged.
    static func charge(_ object: JSON, old: JSON?, _ kind: Kind, namespace: String, in transaction: WriteTransaction) throws(APIStatus) {
        let resource = kind.resource
        if resource == .resourceQuotas, old != nil { return }
        var charges: [(quota: StoredObject, used: [String: Quantity])] = []
        let name = object["metadata"]["name"].stringValue ?? ""
        for quota in transaction.list(.resourceQuotas, namespace: namespace) where QuotaUsage.counts(object, resource, in: quota.value) {
            let hard = quota.spec["hard"].members
            let delta = growth(of: object, over: old, resource).filter { hard[$0.key] != nil }
            if old == nil, resource == .pods, let missing = missing(in: object["spec"], required: compute.intersection(hard.keys)) {
                throw .forbidden(kind.plural, group: kind.group, name: name, "failed quota: \(quota.name): must specify \(missing)")
            }
            if delta.isEmpty { continue }
            var used = current(quota, transaction)
            let exceeded = delta.filter { entry in
                guard entry.value > .zero, let limit = Quantity(hard[entry.key] ?? .null) else { return false }
                return (used[entry.key] ?? .zero) + entry.value > limit
            }
            if !exceeded.isEmpty {
                throw .forbidden(kind.plural, group: kind.group, name: name, refusal(quota, Set(exceeded.keys), delta, used))
            }
            for (entry, amount) in delta { used[entry] = (used[entry] ?? .zero) + amount }
            charges.append((quota, used))
        }
        for charge in charges {
            var value = charge.quota.value
            value["status"]["hard"] = value["spec"]["hard"]
            value["status"]["used"] = QuotaUsage.json(charge.used)
            if value != charge.quota.value { transaction.put(charge.quota.key, value, intent: charge.quota.intent) }
        }
    }

    private static func growth(of object: JSON, over old: JSON?, _ resource: GroupResource) -> [String: Quantity] {
        var amounts = QuotaUsage.amounts(of: object, resource)
        guard let old else { return amounts }
        let before = QuotaUsage.amounts(of: old, resource)
        for (name, amount) in before { amounts[name] = (amounts[name] ?? .zero) - amount }
        return amounts.filter { $0.value > .zero }
    }

    /// What the status says is used, if it is about the quota as it is now; else what is there, counted.
    private static func current(_ quota: StoredObject, _ transaction: WriteTransaction) -> [String: Quantity] {
        let status = quota.status
        if status["hard"] == quota.spec["hard"], status["used"].members.count == status["hard"].members.count {
            return status["used"].members.reduce(into: [:]) { $0[$1.key] = Quantity($1.value) }
        }
        return QuotaUsage.total(for: quota.value) { transaction.list($0, namespace: quota.namespace) }
    }

    private static func refusal(_ quota: StoredObject, _ names: Set<String>, _ delta: [String: Quantity], _ used: [String: Quantity]) -> String {
        func text(_ amounts: (String) -> Quantity?) -> String { names.sorted().map { "\($0)=\(amounts($0) ?? .zero)" }.joined(separator: ",") }
        let hard = quota.spec["hard"]
        return "exceeded quota: \(quota.name), requested: \(text { delta[$0] }), used: \(text { used[$0] }), limited: \(text { Quantity(hard[$0]) })"
    }

    /// Which containers leave out what the quota counts; `nil` where none does.
    private static func missing(in spec: JSON, required: Set<String>) -> String? {
        var missing: [String: Set<String>] = [:]
        for container in spec["initContainers"].elements + spec["containers"].elements {
            for name in required {
                let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
                let (list, resource) = parts.count == 2 ? (parts[0], parts[1]) : ("requests", name)
                if container["resources"][list][resource].isNull { missing[name, default: []].insert(container["name"].stringValue ?? "") }
            }
        }
        if missing.isEmpty { return nil }
        return missing.sorted { $0.key < $1.key }.map { "\($0.key) for: \($0.value.sorted().joined(separator: ","))" }.joined(separator: "; ")
    }
}
