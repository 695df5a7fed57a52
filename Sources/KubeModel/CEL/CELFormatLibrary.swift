/// Kubernetes' named formats (k8s.io/apiserver/pkg/cel/library/format.go).
public struct CELFormat: Sendable, Equatable {
    let name: String

    init?(_ name: String) {
        guard Self.checks[name] != nil else { return nil }
        self.name = name
    }

    /// What is wrong with the text; empty where nothing is.
    func problems(_ text: String) -> [String] { Self.checks[name]?(text) ?? [] }

    private static func prefix(_ check: @escaping @Sendable (String) -> [String]) -> @Sendable (String) -> [String] {
        // The prefix of a generated name may end in what would stand before its random part.
        { text in check(text.hasSuffix("-") ? text + "a" : text) }
    }

    static let checks: [String: @Sendable (String) -> [String]] = [
        "dns1123Label": Names.dns1123Label, "dns1123Subdomain": Names.dns1123Subdomain, "dns1035Label": Names.dns1035Label,
        "qualifiedName": Names.qualifiedName, "dns1123LabelPrefix": prefix(Names.dns1123Label), "dns1123SubdomainPrefix": prefix(Names.dns1123Subdomain),
        "dns1035LabelPrefix": prefix(Names.dns1035Label), "labelValue": Names.labelValue,
        "uri": { text in
            do throws(CELError) { _ = try CELURL(text) } catch { return [error.message] }
            return []
        },
        "uuid": { StringFormat.accepts($0, "uuid") ? [] : ["does not match the UUID format"] },
        "byte": { Base64.decode($0) == nil ? ["invalid base64"] : [] },
        "date": { StringFormat.accepts($0, "date") ? [] : ["invalid date"] },
        "datetime": { Timestamp(parsing: $0) == nil ? ["invalid datetime"] : [] },
    ]
}

enum CELFormatLibrary {
    private static let type = CELType.opaque("kubernetes.NamedFormat")

    static let all: [CELOverload] = CELFormat.checks.keys.sorted().map { name in
        CELOverload("format.\(name)", [], type) { (_, _) throws(CELError) in
            guard let format = CELFormat(name) else { throw .noOverload }
            return .format(format)
        }
    } + [
        CELOverload("format.named", [.string], .optional(type)) { (_, values) throws(CELError) in
            guard case .string(let name) = values[0] else { throw .noOverload }
            return .optional(CELFormat(name).map(CELValue.format))
        },
        CELOverload("validate", member: true, [type, .string], .optional(.list(.string))) { (machine, values) throws(CELError) in
            guard case .format(let format) = values[0], case .string(let text) = values[1] else { throw .noOverload }
            try machine.charge(text.utf8.count)
            let problems = format.problems(text)
            return .optional(problems.isEmpty ? nil : .list(.values(problems.map(CELValue.string))))
        },
    ]
}
