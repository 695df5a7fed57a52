import KubeModel

/// Reads fields of a CDI file, and says which one is not as it should be.
enum CDIFields {
    static func path(_ parent: String, _ name: String) -> String { parent.isEmpty ? name : "\(parent).\(name)" }

    /// That it is an object, and has no field but these.
    static func check(_ json: JSON, _ path: String, known: Set<String>) throws(CDIError) {
        guard let members = json.objectValue else { throw CDIError(field: path, problem: "expected an object, found \(json.typeName)") }
        for name in members.keys where !known.contains(name) {
            throw CDIError(field: self.path(path, name), problem: "unknown field; known are \(known.sorted().joined(separator: ", "))")
        }
    }

    static func text(_ json: JSON, _ name: String, in parent: String) throws(CDIError) -> String {
        let value = json[name]
        guard let text = value.stringValue, !text.isEmpty else {
            throw CDIError(field: path(parent, name), problem: value.isNull ? "required, and missing" : "expected a text, found \(value.text)")
        }
        return text
    }

    static func optionalText(_ json: JSON, _ name: String, in parent: String) throws(CDIError) -> String? {
        let value = json[name]
        if value.isNull { return nil }
        guard let text = value.stringValue else { throw CDIError(field: path(parent, name), problem: "expected a text, found \(value.text)") }
        return text.isEmpty ? nil : text
    }

    static func list(_ json: JSON, _ name: String, in parent: String) throws(CDIError) -> [JSON] {
        let value = json[name]
        if value.isNull { return [] }
        guard let elements = value.arrayValue else {
            throw CDIError(field: path(parent, name), problem: "expected a list, found \(value.typeName)")
        }
        return elements
    }

    static func texts(_ json: JSON, _ name: String, in parent: String) throws(CDIError) -> [String] {
        var texts: [String] = []
        for (index, element) in try list(json, name, in: parent).enumerated() {
            guard let text = element.stringValue else {
                throw CDIError(field: "\(path(parent, name))[\(index)]", problem: "expected a text, found \(element.text)")
            }
            texts.append(text)
        }
        return texts
    }

    /// A path that starts at the root and has no `..`.
    static func absolute(_ text: String, _ field: String) throws(CDIError) -> String {
        guard text.hasPrefix("/"), !text.split(separator: "/").contains("..") else {
            throw CDIError(field: field, problem: "expected a path from the root without '..', found \(JSON.quoted(text))")
        }
        return text
    }
}

extension ContainerEdits {
    private static let fields: Set<String> = [
        "env", "deviceNodes", "hooks", "mounts", "intelRdt", "additionalGids", "netDevices",
    ]

    /// - Parameter path: of the field, for messages.
    init(_ json: JSON, at path: String) throws(CDIError) {
        self.init()
        if json.isNull { return }
        try CDIFields.check(json, path, known: Self.fields)
        for field in ["intelRdt", "netDevices"] where !json[field].isNull {
            throw CDIError(field: "\(path).\(field)", problem: "not available on this machine; remove it")
        }
        for (index, text) in try CDIFields.texts(json, "env", in: path).enumerated() {
            guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
                throw CDIError(field: "\(path).env[\(index)]", problem: "expected NAME=VALUE, found \(JSON.quoted(text))")
            }
            variables.append(Variable(name: String(text[..<equals]), value: String(text[text.index(after: equals)...])))
        }
        for (index, node) in try CDIFields.list(json, "deviceNodes", in: path).enumerated() {
            deviceNodes.append(try Self.node(node, "\(path).deviceNodes[\(index)]"))
        }
        for (index, mount) in try CDIFields.list(json, "mounts", in: path).enumerated() {
            mounts.append(try Self.mount(mount, "\(path).mounts[\(index)]"))
        }
        for (index, group) in try CDIFields.list(json, "additionalGids", in: path).enumerated() {
            guard let id = group.intValue.flatMap({ UInt32(exactly: $0) }) else {
                throw CDIError(field: "\(path).additionalGids[\(index)]", problem: "expected a group's number, found \(group.text)")
            }
            // 0 means none (upstream: pkg/cdi/container-edits.go).
            if id != 0 { additionalGroups.append(id) }
        }
        for (index, hook) in try CDIFields.list(json, "hooks", in: path).enumerated() {
            try read(hook: hook, "\(path).hooks[\(index)]")
        }
    }

    private static func node(_ json: JSON, _ path: String) throws(CDIError) -> DeviceNode {
        try CDIFields.check(
            json, path, known: ["path", "hostPath", "type", "major", "minor", "fileMode", "permissions", "uid", "gid"])
        let place = try CDIFields.absolute(try CDIFields.text(json, "path", in: path), "\(path).path")
        let source = try CDIFields.optionalText(json, "hostPath", in: path)
        if let type = try CDIFields.optionalText(json, "type", in: path), !["c", "u"].contains(type) {
            throw CDIError(
                field: "\(path).type",
                problem: ["b", "p"].contains(type)
                    ? "type \(type) is not given to containers: only character devices are" : "expected c or u, found \(JSON.quoted(type))")
        }
        if let permissions = try CDIFields.optionalText(json, "permissions", in: path), !permissions.allSatisfy({ "rwm".contains($0) }) {
            throw CDIError(field: "\(path).permissions", problem: "expected letters of rwm, found \(JSON.quoted(permissions))")
        }
        return DeviceNode(path: place, hostPath: try CDIFields.absolute(source ?? place, "\(path).hostPath"))
    }

    private static func mount(_ json: JSON, _ path: String) throws(CDIError) -> BindMount {
        try CDIFields.check(json, path, known: ["hostPath", "containerPath", "options", "type"])
        let source = try CDIFields.absolute(try CDIFields.text(json, "hostPath", in: path), "\(path).hostPath")
        let target = try CDIFields.absolute(try CDIFields.text(json, "containerPath", in: path), "\(path).containerPath")
        guard target.contains(where: { $0 != "/" && $0 != "." }) else {
            throw CDIError(field: "\(path).containerPath", problem: "nothing is mounted in the place of the container's root")
        }
        if let type = try CDIFields.optionalText(json, "type", in: path), !["bind", "rbind", "none"].contains(type) {
            throw CDIError(field: "\(path).type", problem: "expected bind, found \(JSON.quoted(type)): other file systems are not mounted")
        }
        let options = try CDIFields.texts(json, "options", in: path)
        return BindMount(hostPath: source, containerPath: target, isReadOnly: options.contains("ro"))
    }

    private static let stages: Set<String> = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]

    /// A hook is a program of the host, to be run with its rights around every container: it is noted and left alone.
    private mutating func read(hook json: JSON, _ path: String) throws(CDIError) {
        try CDIFields.check(json, path, known: ["hookName", "path", "args", "env", "timeout"])
        let stage = try CDIFields.text(json, "hookName", in: path)
        guard Self.stages.contains(stage) else {
            throw CDIError(field: "\(path).hookName", problem: "expected one of \(Self.stages.sorted().joined(separator: ", ")), found \(JSON.quoted(stage))")
        }
        let program = try CDIFields.absolute(try CDIFields.text(json, "path", in: path), "\(path).path")
        let arguments = try CDIFields.texts(json, "args", in: path)
        let title = ([program] + arguments.dropFirst().prefix(2)).joined(separator: " ")
        if !hooks.contains(title) { hooks.append(title) }
        if arguments.contains("update-ldcache") || arguments.contains("create-symlinks") { linksLibraries = true }
        guard arguments.contains("create-symlinks") else { return }
        for (flag, value) in zip(arguments, arguments.dropFirst()) where flag == "--link" {
            guard let colons = value.firstColons else { continue }
            links.append(Link(name: value[colons.upperBound...].lastComponent, target: value[..<colons.lowerBound].lastComponent))
        }
    }
}

extension StringProtocol {
    /// What comes after the last slash.
    var lastComponent: String { String(split(separator: "/").last ?? "") }

    /// Where the first `::` is.
    fileprivate var firstColons: Range<Index>? {
        var place = startIndex
        while place < endIndex, let next = index(place, offsetBy: 2, limitedBy: endIndex) {
            if self[place..<next] == "::" { return place..<next }
            place = index(after: place)
        }
        return nil
    }
}
