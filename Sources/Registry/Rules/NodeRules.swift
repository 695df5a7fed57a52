import Catalogue
import KubeModel

/// Nodes: taints, and what a machine keeps (pkg/apis/core/validation: ValidateNode, ValidateNodeUpdate).
enum NodeRules {
    static func validate(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        var seen: Set<[JSON]> = []
        for (index, taint) in object["spec"]["taints"].elements.enumerated() where !seen.insert([taint["key"], taint["effect"]]).inserted {
            var cause = APIStatus.Cause.duplicate("spec.taints[\(index)]", taint)
            cause.message += ": taints must be unique by key and effect pair"
            causes.append(cause)
        }
        guard let old else { return causes }
        let (before, after) = (old["spec"], object["spec"])
        if !before["podCIDRs"].elements.isEmpty, after["podCIDRs"] != before["podCIDRs"] {
            causes.append(.forbidden("spec.podCIDRs", "node updates may not change podCIDR except from \"\" to valid"))
        }
        if !(before["providerID"].stringValue ?? "").isEmpty, after["providerID"] != before["providerID"] {
            causes.append(.forbidden("spec.providerID", "node updates may not change providerID except from \"\" to valid"))
        }
        return causes
    }
}
