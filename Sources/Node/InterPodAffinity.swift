import Catalogue
import KubeModel

/// Required affinity and anti-affinity between pods, and spread constraints, on this one node: every pod that is bound is in the
/// same place, whatever the topology (upstream: pkg/scheduler/framework/plugins/interpodaffinity, podtopologyspread).
struct InterPodAffinity {
    /// Pods that are bound and have not ended.
    let bound: [StoredObject]
    /// Labels of a namespace, for selectors of namespaces.
    let namespaceLabels: (String) -> [String: String]

    private static let required = "requiredDuringSchedulingIgnoredDuringExecution"

    /// Whether a pod says anything about others: most do not.
    static func isConcerned(_ spec: JSON) -> Bool {
        spec["affinity"].has("podAffinity") || spec["affinity"].has("podAntiAffinity") || !spec["topologySpreadConstraints"].elements.isEmpty
    }

    /// Why the pod cannot stand beside those that are here; `nil` where it can.
    func reason(against pod: PodSpec, node: JSON) -> String? {
        let labels = node["metadata"]["labels"].stringMap
        for constraint in pod.json["topologySpreadConstraints"].elements where constraint["whenUnsatisfiable"].stringValue == "DoNotSchedule" {
            // One domain is never uneven; one without the label is none.
            if labels[constraint["topologyKey"].stringValue ?? ""] == nil {
                return "node(s) didn't match pod topology spread constraints (missing required label)"
            }
        }
        let affinity = pod.json["affinity"]["podAffinity"][Self.required].elements
        if !affinity.allSatisfy({ labels[$0["topologyKey"].stringValue ?? ""] != nil }) || !isMet(affinity, pod) {
            return "node(s) didn't match pod affinity rules"
        }
        for term in pod.json["affinity"]["podAntiAffinity"][Self.required].elements where labels[term["topologyKey"].stringValue ?? ""] != nil {
            if bound.contains(where: { matches(term, of: pod.object, $0) }) { return "node(s) didn't match pod anti-affinity rules" }
        }
        for other in bound {
            for term in other.spec["affinity"]["podAntiAffinity"][Self.required].elements
            where labels[term["topologyKey"].stringValue ?? ""] != nil && matches(term, of: other, pod.object) {
                return "node(s) didn't satisfy existing pods anti-affinity rules"
            }
        }
        return nil
    }

    /// All terms have a pod here. The first of a group that wants its own kind beside it may come where none is.
    private func isMet(_ terms: [JSON], _ pod: PodSpec) -> Bool {
        let unmet = terms.filter { term in !bound.contains { matches(term, of: pod.object, $0) } }
        if unmet.isEmpty { return true }
        return unmet.count == terms.count && terms.allSatisfy { matches($0, of: pod.object, pod.object) }
    }

    /// Whether a term that stands in `owner` means a pod.
    private func matches(_ term: JSON, of owner: StoredObject, _ pod: StoredObject) -> Bool {
        var namespaces = Set(term["namespaces"].elements.compactMap(\.stringValue))
        let selector = term["namespaceSelector"]
        if namespaces.isEmpty, selector.isNull { namespaces = [owner.namespace] }
        let isInNamespace =
            namespaces.contains(pod.namespace)
            || !selector.isNull && (try? LabelSelector(object: selector))?.matches(namespaceLabels(pod.namespace)) ?? false
        guard isInNamespace, let wanted = try? LabelSelector(object: term["labelSelector"]) else { return false }
        return wanted.matches(object: pod.value)
    }
}
