import KubeModel

/// A container's variables: the image's, then `envFrom`, then `env` with references resolved
/// (upstream: pkg/kubelet/kubelet_pods.go, makeEnvironmentVariables).
struct ContainerEnvironment {
    /// In the order in which they were first set.
    private(set) var names: [String] = []
    private(set) var values: [String: String] = [:]
    /// What the image and the node set is not seen by `$(NAME)`, as in kubelet.
    private var expandable: [String: String] = [:]

    mutating func set(_ name: String, _ value: String) {
        if values.updateValue(value, forKey: name) == nil { names.append(name) }
    }

    /// A variable of a Service: the pod's own may refer to it.
    mutating func setByNode(_ name: String, _ value: String) { setByPod(name, value) }

    private mutating func setByPod(_ name: String, _ value: String) {
        set(name, value)
        expandable[name] = value
    }

    /// `NAME=VALUE`, for exec.
    var strings: [String] { names.map { "\($0)=\(values[$0] ?? "")" } }

    /// As `expand`, and a name that is not known is an error, as in a `subPathExpr`.
    func expandKnown(_ text: String) throws(MissingConfiguration) -> String {
        var missing: String?
        let result = VariableExpansion.expand(text) { name in
            if expandable[name] == nil { missing = missing ?? name }
            return expandable[name]
        }
        if let missing { throw MissingConfiguration(description: "missing value for \"\(missing)\"") }
        return result
    }

    func expand(_ text: String) -> String { VariableExpansion.expand(text) { expandable[$0] } }

    /// - Throws: `MissingConfiguration` in kubelet's words.
    mutating func add(
        _ container: ContainerSpec, fields: FieldReference, config: ConfigLookup
    ) throws(MissingConfiguration) {
        for source in container.json["envFrom"].elements {
            let prefix = source["prefix"].stringValue ?? ""
            for (kind, reference) in [(ConfigLookup.Kind.configMap, source["configMapRef"]), (.secret, source["secretRef"])] {
                guard !reference.isNull else { continue }
                for (key, value) in try Self.data(kind, reference, config).sorted(by: { $0.key < $1.key }) {
                    let name = prefix + key
                    if Names.environmentVariable(name).isEmpty { setByPod(name, String(decoding: value, as: UTF8.self)) }
                }
            }
        }
        for variable in container.json["env"].elements {
            guard let name = variable["name"].stringValue else { continue }
            if let value = variable["value"].stringValue, !value.isEmpty {
                setByPod(name, expand(value))
            } else if variable["valueFrom"].isNull {
                setByPod(name, "")
            } else if let value = try Self.value(from: variable["valueFrom"], container, fields, config) {
                setByPod(name, value)
            }
        }
    }

    private static func data(
        _ kind: ConfigLookup.Kind, _ reference: JSON, _ config: ConfigLookup
    ) throws(MissingConfiguration) -> [String: [UInt8]] {
        let name = reference["name"].stringValue ?? ""
        if let data = config.data(kind, name) { return data }
        if reference["optional"].boolValue == true { return [:] }
        throw MissingConfiguration(description: "\(kind.rawValue) \"\(name)\" not found")
    }

    /// `nil`: an optional reference to something that is not there leaves the variable out.
    private static func value(
        from source: JSON, _ container: ContainerSpec, _ fields: FieldReference, _ config: ConfigLookup
    ) throws(MissingConfiguration) -> String? {
        do {
            if let path = source["fieldRef"]["fieldPath"].stringValue { return try fields.value(of: path) }
            if !source["resourceFieldRef"].isNull { return try fields.value(ofResource: source["resourceFieldRef"], in: container) }
        } catch {
            throw MissingConfiguration(description: "\(error)")
        }
        for (kind, reference) in [(ConfigLookup.Kind.configMap, source["configMapKeyRef"]), (.secret, source["secretKeyRef"])] {
            guard !reference.isNull else { continue }
            let data = try Self.data(kind, reference, config)
            let key = reference["key"].stringValue ?? ""
            if let value = data[key] { return String(decoding: value, as: UTF8.self) }
            if reference["optional"].boolValue == true { return nil }
            let name = reference["name"].stringValue ?? ""
            throw MissingConfiguration(description: "couldn't find key \(key) in \(kind.title) \(config.namespace)/\(name)")
        }
        return nil
    }
}
