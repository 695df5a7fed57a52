import Catalogue
import KubeModel

/// FlowSchemas and PriorityLevelConfigurations (pkg/apis/flowcontrol/validation), as far as objects are concerned that order nothing.
enum FlowControlRules {
    static func validateSchema(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        let spec = object["spec"]
        var causes: [APIStatus.Cause] = []
        let precedence = spec["matchingPrecedence"].intValue ?? 0
        if precedence <= 0 { causes.append(.invalid("spec.matchingPrecedence", JSON(precedence), "must be a positive value")) }
        if precedence > 10000 { causes.append(.invalid("spec.matchingPrecedence", JSON(precedence), "must not be greater than 10000")) }
        if precedence == 1, object["metadata"]["name"] != "exempt" {
            causes.append(.invalid("spec.matchingPrecedence", JSON(precedence), "only the schema named 'exempt' may have matchingPrecedence 1"))
        }
        if (spec["priorityLevelConfiguration"]["name"].stringValue ?? "").isEmpty {
            causes.append(.required("spec.priorityLevelConfiguration.name", "must reference a priority level"))
        }
        for (index, rule) in spec["rules"].elements.enumerated() {
            if rule["subjects"].elements.isEmpty { causes.append(.required("spec.rules[\(index)].subjects", "subjects must contain at least one value")) }
            if rule["resourceRules"].elements.isEmpty, rule["nonResourceRules"].elements.isEmpty {
                causes.append(.required("spec.rules[\(index)]", "at least one of resourceRules and nonResourceRules has to be non-empty"))
            }
        }
        return causes
    }

    static func validateLevel(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        let spec = object["spec"]
        var causes: [APIStatus.Cause] = []
        let isExempt = spec["type"] == "Exempt"
        let name = object["metadata"]["name"].stringValue ?? ""
        if isExempt != (name == "exempt") {
            causes.append(.invalid("spec.type", spec["type"], "type must be 'Exempt' if and only if name is 'exempt'"))
        }
        if isExempt, !spec["limited"].isNull { causes.append(.forbidden("spec.limited", "must be nil if the type is not Limited")) }
        if spec["type"] == "Limited" {
            if !spec["exempt"].isNull { causes.append(.forbidden("spec.exempt", "must be nil if the type is Limited")) }
            if spec["limited"].isNull { causes.append(.required("spec.limited", "must not be empty when type is Limited")) }
        }
        if !spec["limited"].isNull { causes += limited(spec["limited"]) }
        return causes
    }

    private static func limited(_ limited: JSON) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        if let shares = limited["nominalConcurrencyShares"].intValue, shares < 0 {
            causes.append(.invalid("spec.limited.nominalConcurrencyShares", JSON(shares), "must be a non-negative integer"))
        }
        if let percent = limited["lendablePercent"].intValue, !(0...100).contains(percent) {
            causes.append(.invalid("spec.limited.lendablePercent", JSON(percent), "must be between 0 and 100, inclusive"))
        }
        let response = limited["limitResponse"]
        if response["type"] == "Reject", !response["queuing"].isNull {
            causes.append(.forbidden("spec.limited.limitResponse.queuing", "must be nil if limited.limitResponse.type is not Limited"))
        }
        if response["type"] == "Queue", response["queuing"].isNull {
            causes.append(.required("spec.limited.limitResponse.queuing", "must not be empty if limited.limitResponse.type is Limited"))
        }
        return causes
    }
}
