import Glibc
import KubeModel

/// One object of a manifest, and where it stands.
struct Manifest: Sendable, Equatable {
    var object: JSON
    /// `FILE` or `FILE:LINE` of the document, for errors.
    var origin: String

    var apiVersion: String { object["apiVersion"].stringValue ?? "" }
    var kind: String { object["kind"].stringValue ?? "" }
    var name: String? { object["metadata"]["name"].stringValue.flatMap { $0.isEmpty ? nil : $0 } }
    var generateName: String? { object["metadata"]["generateName"].stringValue.flatMap { $0.isEmpty ? nil : $0 } }
    var namespace: String? { object["metadata"]["namespace"].stringValue.flatMap { $0.isEmpty ? nil : $0 } }

    /// Reads files, directories (their .yaml, .yml and .json files, by name) and `-` for standard input.
    static func load(_ paths: [String]) throws(CommandError) -> [Manifest] {
        var manifests: [Manifest] = []
        for path in paths {
            if path == "-" {
                manifests += try parse(try SmallFile.read(STDIN_FILENO, name: "standard input"), name: "standard input")
            } else if SmallFile.isDirectory(path) {
                let names = try SmallFile.list(path).filter { $0.hasSuffix(".yaml") || $0.hasSuffix(".yml") || $0.hasSuffix(".json") }
                if names.isEmpty { throw CommandError("\(path) has no .yaml, .yml or .json file") }
                for name in names { manifests += try parse(try SmallFile.read("\(path)/\(name)"), name: "\(path)/\(name)") }
            } else {
                manifests += try parse(try SmallFile.read(path), name: path)
            }
        }
        return manifests
    }

    /// The objects of one text; lists are taken apart.
    static func parse(_ bytes: [UInt8], name: String) throws(CommandError) -> [Manifest] {
        let documents: [YAML.Document]
        do { documents = try YAML.documents(bytes: bytes) } catch { throw CommandError("\(name): \(error)") }
        if documents.isEmpty { throw CommandError("\(name): expected at least one object, found none") }
        var manifests: [Manifest] = []
        for document in documents {
            let origin = documents.count == 1 ? name : "\(name):\(document.line)"
            guard case .object = document.value else {
                throw CommandError("\(origin): expected an object, found \(document.value.typeName)")
            }
            let kind = document.value["kind"].stringValue ?? ""
            let isList = kind.hasSuffix("List") && document.value["items"].arrayValue != nil
            for object in isList ? document.value["items"].elements : [document.value] {
                for field in ["apiVersion", "kind"] where (object[field].stringValue ?? "").isEmpty {
                    throw CommandError(
                        "\(origin): expected the field \(field), found \(object[field].isNull ? "none" : object[field].text)")
                }
                manifests.append(Manifest(object: object, origin: origin))
            }
        }
        return manifests
    }
}
