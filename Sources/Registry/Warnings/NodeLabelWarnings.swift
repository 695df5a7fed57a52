import KubeModel

/// Labels of nodes that have newer names (upstream: pkg/api/node/util.go).
enum NodeLabelWarnings {
    static let deprecated = [
        "beta.kubernetes.io/arch": "deprecated since v1.14; use \"kubernetes.io/arch\" instead",
        "beta.kubernetes.io/os": "deprecated since v1.14; use \"kubernetes.io/os\" instead",
        "failure-domain.beta.kubernetes.io/region": "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
        "failure-domain.beta.kubernetes.io/zone": "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead",
        "beta.kubernetes.io/instance-type": "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead",
        "app.kubernetes.io/created-by": "deprecated since v1.9",
        "scheduler.alpha.kubernetes.io/preferAvoidPods": "deprecated since v1.22; use Taints and Tolerations instead",
        "node-role.kubernetes.io/master": "use \"node-role.kubernetes.io/control-plane\" instead",
    ]

    /// - Parameter terms: `nodeSelectorTerms`.
    static func terms(_ terms: JSON, at path: String) -> [String] {
        terms.elements.enumerated().flatMap { term($0.element, at: "\(path)[\($0.offset)]") }
    }

    /// - Parameter term: a NodeSelectorTerm, or another selector with `matchExpressions`.
    static func term(_ term: JSON, at path: String) -> [String] {
        term["matchExpressions"].elements.enumerated().compactMap { index, expression in
            let key = expression["key"].stringValue ?? ""
            return deprecated[key].map { "\(path).matchExpressions[\(index)].key: \(key) is \($0)" }
        }
    }

    /// - Parameter selector: a LabelSelector over nodes.
    static func selector(_ selector: JSON, at path: String) -> [String] {
        term(selector, at: path) + selector["matchLabels"].members.keys.compactMap { key in deprecated[key].map { "\(path).matchLabels.\(key): \($0)" } }
    }
}

/// Bytes come whole.
enum AmountWarnings {
    static func fractions(in amounts: JSON, at path: String, _ names: [String]) -> [String] {
        names.compactMap { name in
            guard amounts.has(name), let amount = Quantity(amounts[name]), amount.milliValue % 1000 != 0 else { return nil }
            return "\(path)[\(name)]: fractional byte value \(JSON.quoted(amounts[name].stringValue ?? amounts[name].text)) is invalid, must be an integer"
        }
    }
}
