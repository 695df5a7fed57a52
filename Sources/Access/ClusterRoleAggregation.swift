public import Catalogue
public import KubeModel

/// The rules of aggregated ClusterRoles (upstream: pkg/controller/clusterroleaggregation).
public enum ClusterRoleAggregation {
    public static func isAggregated(_ role: JSON) -> Bool { !role["aggregationRule"].isNull }

    /// The rules that an aggregated role is to have: those of all roles whose labels its selectors match, in the order of
    /// names, each once. A role that is itself aggregated counts with the rules that it has.
    public static func rules(for role: JSON, among roles: [StoredObject]) -> [JSON] {
        let own = role["metadata"]["name"].stringValue
        let selectors = role["aggregationRule"]["clusterRoleSelectors"].elements.compactMap { try? LabelSelector(object: $0) }
        var rules: [JSON] = []
        var seen: Set<JSON> = []
        // One selector after the other, as upstream goes; each gives its roles by name.
        for selector in selectors {
            for other in roles.sorted(by: { $0.name < $1.name }) where other.name != own && selector.matches(object: other.value) {
                for rule in other.value["rules"].elements where seen.insert(rule).inserted { rules.append(rule) }
            }
        }
        return rules
    }
}
