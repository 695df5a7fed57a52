import KubeModel

/// What may change in a pod once it is there (pkg/apis/core/validation: ValidatePodUpdate).
extension PodRules {
    static func validateUpdate(_ spec: JSON, _ old: JSON) -> [APIStatus.Cause] {
        let causes = deadlineCauses(spec["activeDeadlineSeconds"], old["activeDeadlineSeconds"])
        if !causes.isEmpty { return causes }
        let additions = tolerationCauses(spec["tolerations"].elements, old["tolerations"].elements)
            + gateCauses(spec["schedulingGates"].elements, old["schedulingGates"].elements)
        if fixed(spec, beside: old) == fixed(old, beside: old) { return additions }
        return additions + [
            .forbidden(
                "spec",
                "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
                    + "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
                    + "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)")
        ]
    }

    /// The spec without what other rules judge. The node's name is not among that: only a binding sets it.
    private static func fixed(_ spec: JSON, beside old: JSON) -> JSON {
        var spec = spec
        // Ephemeral containers have rules of their own (EphemeralContainers).
        for key in ["activeDeadlineSeconds", "tolerations", "schedulingGates", "ephemeralContainers"] { spec.remove(key) }
        if spec["terminationGracePeriodSeconds"] == 1, let before = old["terminationGracePeriodSeconds"].intValue, before < 0 {
            spec["terminationGracePeriodSeconds"] = JSON(before)
        }
        for list in ["containers", "initContainers"] {
            let containers = spec[list].elements.map { container in
                var container = container
                container.remove("image")
                return container
            }
            if !containers.isEmpty { spec[list] = .array(containers) }
        }
        return spec
    }

    /// It may be set once, and shortened.
    private static func deadlineCauses(_ new: JSON, _ old: JSON) -> [APIStatus.Cause] {
        let field = "spec.activeDeadlineSeconds"
        guard let seconds = new.intValue else {
            return old.isNull ? [] : [.invalid(field, .null, "must not update from a positive integer to nil value")]
        }
        if seconds < 0 || seconds > Int(Int32.max) { return [.invalid(field, new, "must be between 0 and 2147483647, inclusive")] }
        if let before = old.intValue, before < seconds { return [.invalid(field, new, "must be less than or equal to previous value")] }
        return []
    }

    /// Tolerations may be added; of those that are there only the time may change.
    private static func tolerationCauses(_ new: [JSON], _ old: [JSON]) -> [APIStatus.Cause] {
        func timeless(_ toleration: JSON) -> JSON {
            var toleration = toleration
            toleration.remove("tolerationSeconds")
            return toleration
        }
        let kept = new.map(timeless)
        if old.allSatisfy({ kept.contains(timeless($0)) }) { return [] }
        return [.forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")]
    }

    private static func gateCauses(_ new: [JSON], _ old: [JSON]) -> [APIStatus.Cause] {
        new.filter { gate in !old.contains { $0["name"] == gate["name"] } }.map { gate in
            let name = gate["name"].stringValue ?? ""
            return .forbidden("spec.schedulingGates", "only deletion is allowed, but found new scheduling gate '\(name)'")
        }
    }
}
