private import CYaml

/// Builds JSON from the events of libyaml (which Yams brings). Nesting is kept on a stack of its own, so hostile documents cannot
/// exhaust the thread's; what aliases repeat is weighed before it is repeated (CVE-2019-11253).
final class YAMLLoader {
    private struct Frame {
        var isMapping: Bool
        var isFlow: Bool
        var members = JSONObject()
        var elements: [JSON] = []
        /// The key that waits for its value.
        var key: String?
        var isMerge = false
        var merges: [JSON] = []
        var anchor: String?
        var weight = 16
        var depth = 1
    }
    private struct Anchored {
        var value: JSON
        var weight: Int
        var depth: Int
    }

    private static let directiveLimit = 500
    /// For every token libyaml goes through all open brackets; this bounds how often it does.
    private static let flowWorkLimit = 50_000_000

    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let input: UnsafeBufferPointer<UInt8>
    private let aliasLimit: Int
    private var aliased = 0
    private var frames: [Frame] = []
    private var anchors: [String: Anchored] = [:]
    private var line = 1
    private var documentLine = 1
    private var flowDepth = 0
    private var flowWork = 0
    private var documents: [YAML.Document] = []

    init(_ input: UnsafeBufferPointer<UInt8>) {
        self.input = input
        aliasLimit = 1 << 20 + 4 * input.count
        parser = .allocate(capacity: 1)
        parser.initialize(to: yaml_parser_t())
        yaml_parser_initialize(parser)
        yaml_parser_set_input_string(parser, input.baseAddress, input.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deinitialize(count: 1)
        parser.deallocate()
    }

    func load() throws(YAMLError) -> [YAML.Document] {
        try checkDirectives()
        while try step() {}
        return documents
    }

    /// libyaml compares every %TAG with all before it; nobody has more than a few.
    private func checkDirectives() throws(YAMLError) {
        var count = 0
        var previous: UInt8 = 0x0A
        for byte in input {
            if byte == UInt8(ascii: "%"), previous == 0x0A { count += 1 }
            previous = byte
        }
        guard count <= Self.directiveLimit else { throw fail("more than \(Self.directiveLimit) directives") }
    }

    private func fail(_ problem: String) -> YAMLError { YAMLError(line: line, problem: problem) }

    /// Takes one event; false at the end of the stream.
    private func step() throws(YAMLError) -> Bool {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw syntaxError() }
        defer { yaml_event_delete(&event) }
        line = Int(event.start_mark.line) + 1
        flowWork += flowDepth
        guard flowWork <= Self.flowWorkLimit else { throw fail("too much in brackets that are nested too deeply") }
        switch event.type {
        case YAML_STREAM_END_EVENT, YAML_NO_EVENT: return false
        case YAML_DOCUMENT_START_EVENT:
            anchors.removeAll()
            documentLine = line
        case YAML_SCALAR_EVENT: try scalar(event.data.scalar)
        case YAML_SEQUENCE_START_EVENT:
            let isFlow = event.data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE
            try open(isMapping: false, isFlow: isFlow, anchor: Self.text(event.data.sequence_start.anchor))
        case YAML_MAPPING_START_EVENT:
            let isFlow = event.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
            try open(isMapping: true, isFlow: isFlow, anchor: Self.text(event.data.mapping_start.anchor))
        case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: try close()
        case YAML_ALIAS_EVENT: try alias(Self.text(event.data.alias.anchor) ?? "")
        default: break
        }
        return true
    }

    private func syntaxError() -> YAMLError {
        let state = parser.pointee
        var problem = state.problem.map { String(cString: $0) } ?? "cannot be read"
        var line = Int(state.problem_mark.line) + 1
        if state.error == YAML_READER_ERROR {
            // The reader knows only the byte.
            line = 1 + input.prefix(state.problem_offset).count { $0 == 0x0A }
            problem += " (byte \(state.problem_offset))"
        }
        return YAMLError(line: line, problem: problem)
    }

    private static func text(_ pointer: UnsafeMutablePointer<UInt8>?) -> String? {
        pointer.map { String(cString: $0) }
    }

    // MARK: Nodes

    private func open(isMapping: Bool, isFlow: Bool, anchor: String?) throws(YAMLError) {
        guard frames.count < YAML.depthLimit else { throw fail("nested deeper than \(YAML.depthLimit) levels") }
        if let frame = frames.last, frame.isMapping, frame.key == nil, !frame.isMerge {
            throw fail("a key must be a scalar, found a \(isMapping ? "mapping" : "sequence")")
        }
        if isFlow { flowDepth += 1 }
        frames.append(Frame(isMapping: isMapping, isFlow: isFlow, anchor: anchor))
    }

    private func close() throws(YAMLError) {
        guard var frame = frames.popLast() else { return }
        if frame.isFlow { flowDepth -= 1 }
        for merge in frame.merges { Self.merge(merge, into: &frame.members) }
        let value: JSON = frame.isMapping ? .object(frame.members) : .array(frame.elements)
        if let anchor = frame.anchor { anchors[anchor] = Anchored(value: value, weight: frame.weight, depth: frame.depth) }
        try add(value, weight: frame.weight, depth: frame.depth)
    }

    /// What is written out wins over what is merged; the first of several merges wins over the later ones.
    private static func merge(_ value: JSON, into members: inout JSONObject) {
        for (key, member) in value.members where members[key] == nil { members[key] = member }
    }

    private func alias(_ name: String) throws(YAMLError) {
        if frames.contains(where: { $0.anchor == name }) { throw fail("anchor '\(name)' value contains itself") }
        guard let anchored = anchors[name] else { throw fail("unknown anchor '\(name)' referenced") }
        aliased += anchored.weight
        guard aliased <= aliasLimit, frames.count + anchored.depth <= YAML.depthLimit else {
            throw fail("document contains excessive aliasing")
        }
        if let frame = frames.last, frame.isMapping, frame.key == nil, !frame.isMerge {
            try setKey(anchored.value, isMerge: false)
        } else {
            try add(anchored.value, weight: anchored.weight, depth: anchored.depth)
        }
    }

    private typealias Scalar = yaml_event_s.__Unnamed_union_data.__Unnamed_struct_scalar

    private func scalar(_ scalar: Scalar) throws(YAMLError) {
        let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
        let isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE
        let value = try typed(text, tag: Self.text(scalar.tag), isPlain: isPlain)
        if let anchor = Self.text(scalar.anchor) { anchors[anchor] = Anchored(value: value, weight: 16 + text.utf8.count, depth: 1) }
        if frames.isEmpty {
            // A document without content is not one.
            if isPlain, text.isEmpty { return }
        } else if let frame = frames.last, frame.isMapping, frame.key == nil, !frame.isMerge {
            try setKey(value, isMerge: isPlain && text == "<<")
            return
        }
        try add(value, weight: 16 + text.utf8.count, depth: 1)
    }

    private func typed(_ text: String, tag: String?, isPlain: Bool) throws(YAMLError) -> JSON {
        let standard = "tag:yaml.org,2002:"
        guard let tag else {
            guard isPlain else { return .string(text) }
            if YAMLScalar.isNotANumber(text) { throw fail("\(text) cannot be a number in JSON; put it in quotes if it is meant as text") }
            return YAMLScalar.resolve(text)
        }
        guard tag.hasPrefix(standard) else { return .string(text) }
        let name = tag.dropFirst(standard.utf8.count)
        switch name {
        case "int", "float", "bool", "null":
            if let value = Self.explicit(YAMLScalar.resolve(text), name) { return value }
            throw fail("cannot decode !!\(name) from \(JSON.quoted(text))")
        case "binary":
            guard let bytes = Base64.decode(text.filter { !$0.isWhitespace }), let string = String(validating: bytes, as: UTF8.self) else {
                throw fail("!!binary value is not Base64 of a text")
            }
            return .string(string)
        default: return .string(text)
        }
    }

    private static func explicit(_ value: JSON, _ tag: Substring) -> JSON? {
        switch (tag, value) {
        case ("int", .int), ("bool", .bool), ("null", .null), ("float", .int), ("float", .double): value
        default: nil
        }
    }

    private func setKey(_ value: JSON, isMerge: Bool) throws(YAMLError) {
        let key: String
        switch value {
        case .string(let text): key = text
        case .int, .bool, .double: key = value.text
        default: throw fail("a key must be a scalar, found \(value.typeName)")
        }
        let top = frames.count - 1
        frames[top].weight += 16 + key.utf8.count
        if isMerge {
            frames[top].isMerge = true
        } else if frames[top].members[key] != nil {
            throw fail("key \(JSON.quoted(key)) already set in map")
        } else {
            frames[top].key = key
        }
    }

    private func add(_ value: JSON, weight: Int, depth: Int) throws(YAMLError) {
        guard !frames.isEmpty else {
            documents.append(YAML.Document(value: value, line: documentLine))
            return
        }
        let top = frames.count - 1
        frames[top].weight += weight
        frames[top].depth = max(frames[top].depth, depth + 1)
        if frames[top].isMerge {
            frames[top].isMerge = false
            let merges = value.arrayValue ?? [value]
            guard merges.allSatisfy({ $0.objectValue != nil }) else { throw fail("map merge requires map or sequence of maps as the value") }
            frames[top].merges += merges
        } else if let key = frames[top].key {
            frames[top].key = nil
            frames[top].members[key] = value
        } else {
            frames[top].elements.append(value)
        }
    }
}
