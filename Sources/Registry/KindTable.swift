import CResources
import Catalogue
import KubeModel
import Synchronization

/// The kinds that are served: those of etc/schemas/kinds.json and those of the user's CustomResourceDefinitions.
struct KindTable: Sendable {
    struct Coordinates: Hashable, Sendable {
        let group: String
        let version: String
        /// The plural, or the kind, as the dictionary says.
        let name: String
    }

    /// In the order of discovery: built-in kinds as kinds.json lists them, then custom ones by name.
    private(set) var kinds: [Kind]
    private(set) var generation = 0
    private var byPlural: [Coordinates: Int] = [:]
    private var byKind: [Coordinates: Int] = [:]
    private let builtIn: [Kind]

    init(builtIn: [Kind]) {
        self.builtIn = builtIn
        kinds = builtIn
        index()
    }

    func kind(group: String, version: String, plural: String) -> Kind? {
        byPlural[Coordinates(group: group, version: version, name: plural)].map { kinds[$0] }
    }

    func kind(group: String, version: String, kind: String) -> Kind? {
        byKind[Coordinates(group: group, version: version, name: kind)].map { kinds[$0] }
    }

    /// The version that is listed first of a stored kind.
    func kind(of resource: GroupResource) -> Kind? { kinds.first { $0.resource == resource } }

    func isBuiltIn(_ definition: String) -> Bool { builtIn.contains { !$0.group.isEmpty && definition == "\($0.plural).\($0.group)" } }

    /// A CustomResourceDefinition over a built-in kind leaves the built-in one in force: its schema is the fuller one.
    mutating func setCustom(_ custom: [Kind]) {
        let taken = Set(builtIn.map(\.resource))
        kinds = builtIn + custom.filter { !taken.contains($0.resource) }
        generation += 1
        index()
    }

    private mutating func index() {
        byPlural = [:]
        byKind = [:]
        for (position, kind) in kinds.enumerated() {
            byPlural[Coordinates(group: kind.group, version: kind.version, name: kind.plural)] = position
            byKind[Coordinates(group: kind.group, version: kind.version, name: kind.kind)] = position
        }
    }

    // MARK: Reading kinds.json

    /// The embedded kinds and the library with their schemas.
    /// - Throws: `APIStatus` where the embedded file is not what etc/schemas/derive writes.
    static func embedded() throws(APIStatus) -> (kinds: [Kind], library: SchemaLibrary) {
        let bytes = UnsafeBufferPointer(start: kindling_schemas, count: kindling_schemas_length)
        let json: JSON
        do throws(JSONSyntaxError) { json = try JSONParser.parse(bytes) } catch {
            throw .internalError("the embedded etc/schemas/kinds.json: \(error); run etc/schemas/derive and build again")
        }
        let library = SchemaLibrary(json: json)
        let kinds = json["kinds"].elements.filter { $0["serve"].boolValue ?? true }.map { decode($0, library) }
        return (kinds, library)
    }

    private static func decode(_ entry: JSON, _ library: SchemaLibrary) -> Kind {
        func text(_ key: String) -> String { entry[key].stringValue ?? "" }
        func texts(_ key: String) -> [String] { entry[key].elements.compactMap(\.stringValue) }
        var kind = Kind(
            group: text("group"), version: text("version"), kind: text("kind"), listKind: text("listKind"), plural: text("plural"),
            singular: text("singular"), shortNames: texts("shortNames"), categories: texts("categories"),
            isNamespaced: entry["namespaced"].boolValue ?? true, subresources: texts("subresources"), verbs: texts("verbs"),
            columns: entry["columns"].elements.map(column), definition: text("definition"),
            schema: library.definition(text("definition")) ?? .anything, isCustom: entry["custom"].boolValue ?? text("group").contains("kubeflow.org"))
        if kind.kind == "ComponentStatus" { kind.deprecationWarning = "v1 ComponentStatus is deprecated in v1.19+" }
        return kind
    }

    static func column(_ entry: JSON) -> PrinterColumn {
        let source: PrinterColumn.Source =
            if let function = entry["function"].stringValue { .function(function) } else { .path(entry["path"].stringValue ?? entry["jsonPath"].stringValue ?? "") }
        return PrinterColumn(
            name: entry["name"].stringValue ?? "", type: entry["type"].stringValue ?? "string", format: entry["format"].stringValue ?? "",
            description: entry["description"].stringValue ?? "", priority: entry["priority"].intValue ?? 0, source: source)
    }
}

extension KindTable {
    static let customVerbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]

    /// The kinds that one CustomResourceDefinition defines: one a served version.
    static func custom(from definition: JSON) -> [Kind] {
        let spec = definition["spec"]
        // Names that another definition had first are not served.
        guard DefinitionNames.isTrue(definition, "Established") else { return [] }
        let names = definition["status"]["acceptedNames"]
        guard let group = spec["group"].stringValue, let plural = names["plural"].stringValue, let kind = names["kind"].stringValue else { return [] }
        return spec["versions"].elements.filter { $0["served"].boolValue == true }.map { version in
            let schema = version["schema"]["openAPIV3Schema"]
            var structural = schema.isNull ? ["type": "object", "x-kubernetes-preserve-unknown-fields": true] : schema
            if spec["preserveUnknownFields"].boolValue == true { structural["x-kubernetes-preserve-unknown-fields"] = true }
            // What every object has need not be in a definition's schema (apiextensions: pruning keeps TypeMeta and ObjectMeta).
            for key in ["apiVersion", "kind"] { structural["properties"][key] = ["type": "string"] }
            structural["properties"]["metadata"] = ["type": "object", "x-kubernetes-preserve-unknown-fields": true]
            let age: JSON = ["name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"]
            let columns = version["additionalPrinterColumns"].elements
            var made = Kind(
                group: group, version: version["name"].stringValue ?? "v1", kind: kind, listKind: names["listKind"].stringValue ?? "\(kind)List",
                plural: plural, singular: names["singular"].stringValue ?? kind.lowercased(),
                shortNames: names["shortNames"].elements.compactMap(\.stringValue), categories: names["categories"].elements.compactMap(\.stringValue),
                isNamespaced: spec["scope"].stringValue != "Cluster", subresources: version["subresources"].members.keys.map { $0 },
                verbs: customVerbs, columns: (columns.isEmpty ? [age] : columns).map(column), definition: "\(group).\(version["name"].stringValue ?? "v1").\(kind)",
                schema: Schema(json: structural, structural: true), isCustom: true)
            made.conversion = KindConversion(spec)
            made.storedVersion = spec["versions"].elements.first { $0["storage"] == true }?["name"].stringValue
            made.schemaIdentity = schemaIdentity(definition, made.version)
            if version["deprecated"].boolValue == true {
                made.deprecationWarning = version["deprecationWarning"].stringValue ?? "\(made.apiVersion) \(kind) is deprecated"
            }
            made.scalePaths = ScalePaths(version["subresources"]["scale"])
            made.selectableFields = version["selectableFields"].elements.compactMap { $0["jsonPath"].stringValue.map { String($0.drop { $0 == "." }) } }
            return made
        }
    }
}

extension KindTable {
    /// Equal as long as a definition's spec is.
    private static func schemaIdentity(_ definition: JSON, _ version: String) -> Int {
        var hasher = Hasher()
        hasher.combine(definition["metadata"]["uid"].stringValue)
        hasher.combine(definition["metadata"]["generation"].intValue)
        hasher.combine(version)
        let identity = hasher.finalize()
        return identity == 0 ? 1 : identity
    }
}

/// The table that is in force, shared by the Registry and what looks kinds up for it.
final class ServedKinds: Sendable {
    private let table: Mutex<KindTable>

    init(_ table: KindTable) { self.table = Mutex(table) }

    func withLock<T>(_ body: (inout sending KindTable) -> sending T) -> T { table.withLock(body) }

    /// The kind that `apiVersion` and `kind` of a reference name.
    func kind(named reference: JSON) -> Kind? {
        let parts = (reference["apiVersion"].stringValue ?? "").split(separator: "/").map(String.init)
        guard let version = parts.last, let name = reference["kind"].stringValue else { return nil }
        return withLock { $0.kind(group: parts.count == 2 ? parts[0] : "", version: version, kind: name) }
    }
}
