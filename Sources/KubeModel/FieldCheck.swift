/// One entry of `x-kindling-checks`: what upstream's validation asks of a field, or of a value as a whole (etc/schemas/checks.yaml).
struct FieldCheck: Sendable {
    enum Test: Sendable {
        /// Not missing and not Go's zero value.
        case required(detail: String)
        /// Missing or Go's zero value: `Forbidden` with the words.
        case empty(detail: String)
        case range(ClosedRange<Int64>, detail: String)
        /// What a text, or each text of a list, must look like.
        case text(TextRule)
        /// A port's number or name.
        case port
        /// Keys and values of labels.
        case labels
        /// No two elements of the list have the same value here; `{a, b}` names several members.
        case unique(key: String)
        /// At most one of the members is there, and one at least unless `none` is nil.
        case union(members: [String], none: String?, many: String)
        /// A rule in code, by its name.
        case function(String)
    }

    /// The member that is checked; empty for the value itself.
    let field: String
    let test: Test
    /// Whether a missing or zero value is checked too.
    let isAlways: Bool
    /// The check counts where (or, `isInverse`, unless) a member has one of the values.
    let condition: (member: String, values: [JSON], isInverse: Bool)?

    init?(_ json: JSON) {
        field = json["field"].stringValue ?? ""
        // A zero that is written is not above zero either.
        isAlways = json["always"].boolValue ?? json.has("above")
        let inverse = json.has("unless")
        let wanted = json[inverse ? "unless" : "when"].members
        condition = wanted.keys.first.map { ($0, wanted[$0]?.elements ?? [], inverse) }
        guard let test = Test(json) else { return nil }
        self.test = test
    }

    func counts(for members: JSONObject) -> Bool {
        guard let condition else { return true }
        return condition.values.contains(members[condition.member] ?? "") != condition.isInverse
    }
}

extension FieldCheck.Test {
    init?(_ json: JSON) {
        let detail = json["detail"].stringValue
        if let words = json["required"].stringValue {
            self = .required(detail: words)
        } else if let words = json["empty"].stringValue {
            self = .empty(detail: words)
        } else if let least = json["range"][0].intValue, let most = json["range"][1].intValue {
            self = .range(Int64(least)...Int64(most), detail: detail ?? "must be between \(least) and \(most), inclusive")
        } else if let least = json["least"].intValue {
            self = .range(Int64(least)...Int64.max, detail: detail ?? "must be greater than or equal to \(least)")
        } else if let bound = json["above"].intValue {
            self = .range(Int64(bound) + 1...Int64.max, detail: detail ?? "must be greater than \(bound)")
        } else if let key = json["unique"].stringValue {
            self = .unique(key: key)
        } else if let name = json["function"].stringValue {
            self = .function(name)
        } else if json.has("oneOf") {
            self = .union(members: json["oneOf"].elements.compactMap(\.stringValue), none: json["none"].stringValue, many: json["many"].stringValue ?? "")
        } else {
            switch json["text"].stringValue {
            case "port": self = .port
            case "labels": self = .labels
            case let name?:
                guard let rule = TextRule(rawValue: name) else { return nil }
                self = .text(rule)
            case nil: return nil
            }
        }
    }
}

/// The forms of texts that checks name.
enum TextRule: String, Sendable {
    case dns1123Label, dns1123Subdomain, qualifiedName, labelValue, configMapKey, environmentVariable, portName, sysctl, address
    case descendingPath, nonReservedPath, absolutePath, noBacksteps

    /// What is wrong with a text; nothing where it is right.
    func problems(_ text: String) -> [String] {
        switch self {
        case .dns1123Label: return Names.dns1123Label(text)
        case .dns1123Subdomain: return Names.dns1123Subdomain(text)
        case .qualifiedName: return Names.qualifiedName(text)
        case .labelValue: return Names.labelValue(text)
        case .configMapKey: return Names.configMapKey(text)
        case .environmentVariable: return Names.environmentVariable(text)
        case .portName: return Names.portName(text)
        case .sysctl: return Names.sysctl(text)
        case .address: return IPAddress.isValid(text) ? [] : [IPAddress.problem]
        case .descendingPath: return Names.descendingPath(text)
        case .nonReservedPath: return Names.descendingPath(text) + (text.hasPrefix("..") && !text.hasPrefix("../") ? ["must not start with '..'"] : [])
        case .absolutePath: return text.hasPrefix("/") ? [] : ["must be an absolute path"]
        case .noBacksteps: return text.split(separator: "/").contains("..") ? ["must not contain '..'"] : []
        }
    }
}
