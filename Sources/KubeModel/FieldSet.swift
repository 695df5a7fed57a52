/// One step of the path of a managed field.
public enum FieldPathElement: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// A member of a struct or map (`f:name`).
    case field(String)
    /// An element of a list of type map, by its key members in alphabetical order (`k:{"name":"x"}`).
    case key(JSONObject)
    /// An element of a list of type set (`v:"x"`).
    case value(JSON)
    /// An element by its position (`i:0`).
    case index(Int)

    /// Reads the form of fieldsV1; `nil` for anything else.
    public init?(serialized text: String) {
        let rest = String(text.dropFirst(2))
        switch text.prefix(2) {
        case "f:": self = .field(rest)
        case "k:":
            guard case .object(var members)? = try? JSONParser.parse(rest) else { return nil }
            members.sort { $0.key < $1.key }
            self = .key(members)
        case "v:":
            guard let value = try? JSONParser.parse(rest) else { return nil }
            self = .value(value)
        case "i:":
            guard let index = Int(rest) else { return nil }
            self = .index(index)
        default: return nil
        }
    }

    /// The form of fieldsV1.
    public var serialized: String {
        switch self {
        case .field(let name): "f:" + name
        case .key(let members): "k:" + JSON.object(members).text
        case .value(let value): "v:" + value.text
        case .index(let index): "i:\(index)"
        }
    }

    /// The form of conflict messages: `.name`, `[name="x"]`, `[="x"]`, `[0]`.
    public var description: String {
        switch self {
        case .field(let name): "." + name
        case .key(let members): "[" + members.map { "\($0.key)=\($0.value.text)" }.joined(separator: ",") + "]"
        case .value(let value): "[=\(value.text)]"
        case .index(let index): "[\(index)]"
        }
    }

    private var rank: Int {
        switch self {
        case .field: 0
        case .key: 1
        case .value: 2
        case .index: 3
        }
    }

    public static func < (left: FieldPathElement, right: FieldPathElement) -> Bool {
        switch (left, right) {
        case (.field(let a), .field(let b)): a < b
        case (.index(let a), .index(let b)): a < b
        case _ where left.rank != right.rank: left.rank < right.rank
        default: left.serialized < right.serialized
        }
    }
}

/// A set of fields of an object, as a tree; what `metadata.managedFields[].fieldsV1` holds (structured-merge-diff, fieldpath.Set).
public struct FieldSet: Sendable, Hashable {
    /// The fields of this level that are in the set themselves.
    public internal(set) var members: Set<FieldPathElement> = []
    /// What of the set lies below a field of this level.
    public internal(set) var children: [FieldPathElement: FieldSet] = [:]

    public init() {}

    /// A set of single fields, each given by the names of struct members.
    public init(paths: [[String]]) { for path in paths { insert(path.map(FieldPathElement.field)) } }

    public var isEmpty: Bool { members.isEmpty && children.isEmpty }

    public mutating func insert(_ path: [FieldPathElement]) { insert(path[...]) }

    private mutating func insert(_ path: ArraySlice<FieldPathElement>) {
        guard let first = path.first else { return }
        if path.count == 1 { members.insert(first) } else { children[first, default: FieldSet()].insert(path.dropFirst()) }
    }

    public func contains(_ path: [FieldPathElement]) -> Bool {
        guard let last = path.last else { return false }
        var set = self
        for element in path.dropLast() {
            guard let child = set.children[element] else { return false }
            set = child
        }
        return set.members.contains(last)
    }

    /// Puts what lies below a field in, unless there is nothing.
    mutating func setChild(_ element: FieldPathElement, _ set: FieldSet) { children[element] = set.isEmpty ? nil : set }

    public func union(_ other: FieldSet) -> FieldSet {
        var result = self
        result.members.formUnion(other.members)
        for (element, child) in other.children {
            result.children[element] = result.children[element].map { $0.union(child) } ?? child
        }
        return result
    }

    public func intersection(_ other: FieldSet) -> FieldSet {
        var result = FieldSet()
        result.members = members.intersection(other.members)
        for (element, child) in children {
            if let counterpart = other.children[element] { result.setChild(element, child.intersection(counterpart)) }
        }
        return result
    }

    /// Without the fields of the other set; what lies below a field stays unless it is named itself.
    public func difference(_ other: FieldSet) -> FieldSet {
        var result = self
        result.members.subtract(other.members)
        for (element, child) in children {
            if let counterpart = other.children[element] { result.setChild(element, child.difference(counterpart)) }
        }
        return result
    }

    /// Without the fields of the other set and everything below them.
    public func recursiveDifference(_ other: FieldSet) -> FieldSet {
        var result = self
        result.members.subtract(other.members)
        for (element, child) in children {
            if other.members.contains(element) {
                result.children[element] = nil
            } else if let counterpart = other.children[element] {
                result.setChild(element, child.recursiveDifference(counterpart))
            }
        }
        return result
    }

    /// All paths, in upstream's order: a field before what lies below it.
    public var paths: [[FieldPathElement]] {
        var result: [[FieldPathElement]] = []
        collect(prefix: [], into: &result)
        return result
    }

    private func collect(prefix: [FieldPathElement], into result: inout [[FieldPathElement]]) {
        for element in sortedElements {
            let path = prefix + [element]
            if members.contains(element) { result.append(path) }
            children[element]?.collect(prefix: path, into: &result)
        }
    }

    private var sortedElements: [FieldPathElement] { members.union(children.keys).sorted() }

    /// With the struct members that lie on the way to a field as fields of their own; maps' members and lists' elements not
    /// (upstream: EnsureNamedFieldsAreMembers).
    func withNamedFields(_ schema: Schema?) -> FieldSet {
        var result = FieldSet()
        result.members = members
        let properties = schema?.properties ?? [:]
        for (element, child) in children {
            if case .field(let name) = element, properties[name] != nil { result.members.insert(element) }
            result.children[element] = child.withNamedFields(schema?.schema(of: element))
        }
        return result
    }
}

extension FieldSet {
    /// Reads fieldsV1; keys that are no path are left out.
    public init(fieldsV1 json: JSON) {
        for (key, below) in json.members where key != "." {
            guard let element = FieldPathElement(serialized: key) else { continue }
            if below.members.isEmpty || below.has(".") { members.insert(element) }
            setChild(element, FieldSet(fieldsV1: below))
        }
    }

    /// The form of fieldsV1, sorted.
    public var fieldsV1: JSON {
        var object = JSONObject()
        for element in sortedElements {
            var below = JSONObject()
            if let child = children[element] {
                if members.contains(element) { below["."] = [:] }
                below.merge(child.fieldsV1.members) { _, last in last }
            }
            object[element.serialized] = .object(below)
        }
        return .object(object)
    }

    /// The fields that a value has: leaves, atomic lists and maps, members of maps, elements of lists, and what is empty
    /// (structured-merge-diff, TypedValue.ToFieldSet). A list of type map with two elements of the same key counts once.
    public static func of(_ value: JSON, schema: Schema?) -> FieldSet {
        var result = FieldSet()
        switch MergeShape(value, schema) {
        case .leaf: break
        case .map(let members):
            let properties = schema?.properties ?? [:]
            for (key, member) in members {
                let element = FieldPathElement.field(key)
                let child = schema?.child(key)
                let isEmptyMap = member.objectValue?.isEmpty ?? false
                if member.isNull || isEmptyMap || properties[key] == nil || MergeShape(member, child).isLeaf { result.members.insert(element) }
                result.setChild(element, of(member, schema: child))
            }
        case .list(let elements, let keys):
            for item in elements {
                let element = MergeShape.element(item, keys: keys, items: schema?.items)
                result.members.insert(element)
                let below = of(item, schema: schema?.items)
                result.setChild(element, result.children[element].map { $0.union(below) } ?? below)
            }
        }
        return result
    }
}

/// How a value takes part in a merge: as a whole, member by member, or element by element.
enum MergeShape {
    case leaf
    case map(JSONObject)
    /// `keys` is empty for a set.
    case list([JSON], keys: [String])

    init(_ value: JSON, _ schema: Schema?) {
        switch value {
        case .object(let members) where schema?.mapIsAtomic != true: self = .map(members)
        case .array(let elements):
            switch schema?.mergeList {
            case .map?: self = .list(elements, keys: schema?.mergeListKeys ?? [])
            case .set?: self = .list(elements, keys: [])
            default: self = .leaf
            }
        default: self = .leaf
        }
    }

    var isLeaf: Bool { if case .leaf = self { true } else { false } }

    /// The path of an element of a list.
    static func element(_ item: JSON, keys: [String], items: Schema?) -> FieldPathElement {
        guard !keys.isEmpty else { return .value(item) }
        return .key(ListKey.object(item, keys: keys, items: items).members)
    }
}

extension Schema {
    /// The list type, or what the older patch strategy says of it (kube-openapi, schemaconv).
    var mergeList: ListType {
        if let listType { return listType == .map && listMapKeys.isEmpty ? .atomic : listType }
        guard patchStrategies.contains("merge") else { return .atomic }
        return patchMergeKey == nil ? .set : .map
    }

    var mergeListKeys: [String] { listMapKeys.isEmpty ? patchMergeKey.map { [$0] } ?? [] : listMapKeys }

    /// The schema of what a step of a path leads to.
    func schema(of element: FieldPathElement) -> Schema? {
        if case .field(let name) = element { child(name) } else { items }
    }
}
