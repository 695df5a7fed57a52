import ArgumentParser
import KubeModel

/// What `-o` says.
enum OutputFormat: ExpressibleByArgument, Sendable {
    case wide
    case json
    case yaml
    case name
    case jsonpath(JSONPath)

    static let help = "wide, json, yaml, name or jsonpath=TEMPLATE"

    init?(argument: String) {
        switch argument {
        case "wide": self = .wide
        case "json": self = .json
        case "yaml": self = .yaml
        case "name": self = .name
        default:
            guard argument.hasPrefix("jsonpath=") else { return nil }
            var template = argument.dropFirst("jsonpath=".count)
            // Quotes that a script passed on by mistake.
            if template.count >= 2, template.first == "'", template.last == "'" { template = template.dropFirst().dropLast() }
            guard let path = try? JSONPath(parsing: String(template)) else { return nil }
            self = .jsonpath(path)
        }
    }

    static let allValueStrings = ["wide", "json", "yaml", "name", "jsonpath="]

    /// The value as text that ends with a line break; `nil` for the forms that are not about one value.
    func render(_ value: JSON) throws -> String? {
        switch self {
        case .json: PrettyJSON.text(value) + "\n"
        case .yaml: YAML.dump(value)
        case .jsonpath(let path): try path.render(value) + "\n"
        case .wide, .name: nil
        }
    }
}

/// JSON with four spaces of indentation, as kubectl prints it.
enum PrettyJSON {
    static func text(_ value: JSON) -> String {
        var bytes: [UInt8] = []
        write(value, indent: 0, into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func write(_ value: JSON, indent: Int, into bytes: inout [UInt8]) {
        switch value {
        case .object(let members) where !members.isEmpty:
            bytes.append(UInt8(ascii: "{"))
            var separator = "\n"
            for (key, member) in members {
                bytes += separator.utf8
                separator = ",\n"
                bytes += repeatElement(0x20, count: indent + 4)
                JSON.string(key).write(into: &bytes)
                bytes += ": ".utf8
                write(member, indent: indent + 4, into: &bytes)
            }
            close("}", indent, &bytes)
        case .array(let elements) where !elements.isEmpty:
            bytes.append(UInt8(ascii: "["))
            var separator = "\n"
            for element in elements {
                bytes += separator.utf8
                separator = ",\n"
                bytes += repeatElement(0x20, count: indent + 4)
                write(element, indent: indent + 4, into: &bytes)
            }
            close("]", indent, &bytes)
        default: value.write(into: &bytes)
        }
    }

    private static func close(_ bracket: String, _ indent: Int, _ bytes: inout [UInt8]) {
        bytes.append(0x0A)
        bytes += repeatElement(0x20, count: indent)
        bytes += bracket.utf8
    }
}
