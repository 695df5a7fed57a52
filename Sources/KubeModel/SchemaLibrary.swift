import Synchronization

/// Named schemas that refer to one another. Definitions are kept as text and decoded one by one, when first used: most
/// of a daemon's life needs few of them.
public final class SchemaLibrary: Sendable {
    private let texts: [String: [UInt8]]
    private let structural: Bool
    private let decoded = Mutex<[String: Schema]>([:])

    /// - Parameters:
    ///   - json: an object of definitions by name, or an object whose member `definitions` is one.
    ///   - structural: whether objects without any field are closed, as in a CustomResourceDefinition.
    public init(json: JSON, structural: Bool = false) {
        let definitions = json.has("definitions") ? json["definitions"] : json
        var texts: [String: [UInt8]] = [:]
        texts.reserveCapacity(definitions.members.count)
        for (name, definition) in definitions.members { texts[name] = definition.encoded() }
        self.texts = texts
        self.structural = structural
    }

    /// The names of all definitions, sorted.
    public var names: [String] { texts.keys.sorted() }

    /// The definition of that name; `nil` where there is none.
    public func definition(_ name: String) -> Schema? {
        if let schema = decoded.withLock({ $0[name] }) { return schema }
        guard let json = raw(name) else { return nil }
        let schema = Schema(json: json, name: name, library: self, structural: structural)
        return decoded.withLock { cache in
            // Another thread may have been faster; there is to be one object a definition.
            if let other = cache[name] { return other }
            cache[name] = schema
            return schema
        }
    }

    /// A schema written in place whose references are looked up in this library.
    public func schema(_ json: JSON) -> Schema { Schema(json: json, name: nil, library: self, structural: structural) }

    /// The definition as it was given, descriptions included, e.g. for OpenAPI documents.
    public func raw(_ name: String) -> JSON? { texts[name].flatMap { try? JSONParser.parse($0) } }
}
