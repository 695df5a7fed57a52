import KubeModel

/// Counts the templates that a DaemonSet has had, in the annotation that apps/v1 has for it (upstream: registry/apps/daemonset/strategy.go,
/// apis/apps/v1/conversion.go).
public enum DaemonSetGeneration {
    public static let annotation = "deprecated.daemonset.template.generation"
    /// The label of pods that tells which one they are of.
    public static let label = "pod-template-generation"

    static func applyDefaults(_ object: inout JSON, _ old: JSON?, _ context: KindRules.Context) {
        var number = old.flatMap { $0["metadata"]["annotations"][annotation].stringValue }.flatMap { Int($0) } ?? (old == nil ? 1 : 0)
        if let old, old["spec"]["template"] != object["spec"]["template"] { number += 1 }
        object["metadata"]["annotations"][annotation] = .string(String(number))
    }
}
