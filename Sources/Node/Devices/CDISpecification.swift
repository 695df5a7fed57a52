import KubeModel

/// What is wrong with a file of the Container Device Interface: where, what was expected and what was found.
struct CDIError: Error, Equatable, CustomStringConvertible {
    let field: String
    let problem: String

    var description: String { field.isEmpty ? problem : "\(field): \(problem)" }
}

/// One file of the Container Device Interface: devices of one kind and how a container is given each.
/// (upstream: container-device-interface, SPEC.md and pkg/cdi/spec.go, which refuses unknown fields too.)
struct CDISpecification: Sendable, Equatable {
    struct Device: Sendable, Equatable {
        var name: String
        var edits: ContainerEdits
    }

    /// Those that are read. Before 0.3.0 the format was another one.
    static let versions: Set<String> = ["0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0"]

    /// `vendor.com/class`, which is also the resource's name in Kubernetes.
    var kind: String
    var devices: [Device]
    /// For every container that is given any device of the file.
    var edits = ContainerEdits()

    init(kind: String, devices: [Device], edits: ContainerEdits = ContainerEdits()) {
        self.kind = kind
        self.devices = devices
        self.edits = edits
    }

    /// - Parameter bytes: YAML or JSON, one document.
    init(bytes: [UInt8]) throws(CDIError) {
        let documents: [YAML.Document]
        do { documents = try YAML.documents(bytes: bytes) } catch { throw CDIError(field: "", problem: "neither YAML nor JSON: \(error)") }
        guard let json = documents.first?.value, documents.count == 1 else {
            throw CDIError(field: "", problem: "expected one document, found \(documents.count)")
        }
        try self.init(json)
    }

    init(_ json: JSON) throws(CDIError) {
        try CDIFields.check(json, "", known: ["cdiVersion", "kind", "annotations", "devices", "containerEdits"])
        let version = try CDIFields.text(json, "cdiVersion", in: "")
        guard Self.versions.contains(version.hasPrefix("v") ? String(version.dropFirst()) : version) else {
            throw CDIError(field: "cdiVersion", problem: "expected one of \(Self.versions.sorted().joined(separator: ", ")), found \(JSON.quoted(version))")
        }
        kind = try CDIFields.text(json, "kind", in: "")
        if let problem = Self.problem(ofKind: kind) { throw CDIError(field: "kind", problem: problem) }
        edits = try ContainerEdits(json["containerEdits"], at: "containerEdits")
        devices = []
        for (index, entry) in try CDIFields.list(json, "devices", in: "").enumerated() {
            let device = try Self.device(entry, at: "devices[\(index)]")
            guard !devices.contains(where: { $0.name == device.name }) else {
                throw CDIError(field: "devices[\(index)].name", problem: "\(JSON.quoted(device.name)) is there twice; give each device a name of its own")
            }
            devices.append(device)
        }
        if devices.isEmpty { throw CDIError(field: "devices", problem: "expected at least one device, found none") }
    }

    private static func device(_ json: JSON, at path: String) throws(CDIError) -> Device {
        try CDIFields.check(json, path, known: ["name", "annotations", "containerEdits"])
        let name = try CDIFields.text(json, "name", in: path)
        if let problem = problem(ofDevice: name) { throw CDIError(field: "\(path).name", problem: problem) }
        let edits = try ContainerEdits(json["containerEdits"], at: "\(path).containerEdits")
        if edits.isEmpty { throw CDIError(field: "\(path).containerEdits", problem: "the device \(JSON.quoted(name)) changes nothing of a container") }
        return Device(name: name, edits: edits)
    }

    // MARK: Names (upstream: pkg/parser/parser.go)

    /// What is wrong with a kind `vendor.com/class`; `nil` where nothing is.
    static func problem(ofKind kind: String) -> String? {
        let parts = kind.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ isName($0, marks: "-_.", beginsWithDigit: false) }) else {
            return "expected vendor/class such as nvidia.com/gpu, found \(JSON.quoted(kind))"
        }
        // The kind is also the name of a resource, where Kubernetes is stricter.
        if let problem = Names.qualifiedName(kind).first { return "\(JSON.quoted(kind)) cannot be a resource's name: \(problem)" }
        return parts[0].hasSuffix("kubernetes.io") ? "\(JSON.quoted(kind)) cannot be a resource's name: kubernetes.io is Kubernetes' own" : nil
    }

    static func problem(ofDevice name: String) -> String? {
        if isName(name[...], marks: "-_.:", beginsWithDigit: true) { return nil }
        return "expected letters and digits, with any of - _ . : between them, found \(JSON.quoted(name))"
    }

    private static func isName(_ text: Substring, marks: String, beginsWithDigit: Bool) -> Bool {
        func isPlain(_ character: Character) -> Bool { character.isASCII && (character.isLetter || character.isNumber) }
        guard let first = text.first, let last = text.last, isPlain(first), isPlain(last) else { return false }
        return (beginsWithDigit || first.isLetter) && text.allSatisfy { isPlain($0) || marks.contains($0) }
    }
}
