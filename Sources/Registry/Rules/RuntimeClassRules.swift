import Catalogue
import KubeModel

/// RuntimeClasses (pkg/apis/node/validation).
enum RuntimeClassRules {
    static func validate(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        let handler = object["handler"]
        if let old {
            return handler == old["handler"] ? [] : [.invalid("handler", handler, "field is immutable")]
        }
        var causes: [APIStatus.Cause] = Names.dns1123Label(handler.stringValue ?? "").map { .invalid("handler", .string(handler.stringValue ?? ""), $0) }
        for (name, amount) in object["overhead"]["podFixed"].members {
            causes += Names.qualifiedName(name).map { .invalid("overhead.limits[\(name)]", .string(name), $0) }
            if let value = Quantity(amount), value < .zero {
                causes.append(.invalid("overhead.limits[\(name)]", amount, "must be greater than or equal to 0"))
            }
        }
        for (key, value) in object["scheduling"]["nodeSelector"].members {
            causes += Names.qualifiedName(key).map { .invalid("scheduling.nodeSelector", .string(key), $0) }
            causes += Names.labelValue(value.stringValue ?? "").map { .invalid("scheduling.nodeSelector", value, $0) }
        }
        return causes
    }
}
