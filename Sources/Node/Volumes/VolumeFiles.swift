public import Catalogue
public import KubeModel

/// The files of configMap, secret, projected and downwardAPI volumes: path in the volume, bytes and mode.
struct VolumeFiles {
    struct File: Hashable {
        var bytes: [UInt8]
        var mode: UInt32
    }

    private(set) var files: [String: File] = [:]

    let fields: FieldReference
    let config: ConfigLookup
    /// Who makes tokens of service accounts; without it such sources give no file.
    let tokens: (any ServiceAccountTokens)?

    init(fields: FieldReference, config: ConfigLookup, tokens: (any ServiceAccountTokens)? = nil) {
        self.fields = fields
        self.config = config
        self.tokens = tokens
    }

    /// Adds the content of a `configMap`, `secret`, `downwardAPI` or `projected` volume.
    /// - Throws: `MissingConfiguration` in kubelet's words.
    mutating func add(volume: JSON) throws(MissingConfiguration) {
        if !volume["configMap"].isNull {
            let source = volume["configMap"]
            try add(.configMap, name: source["name"].stringValue ?? "", source, mode: Self.mode(source))
        } else if !volume["secret"].isNull {
            let source = volume["secret"]
            try add(.secret, name: source["secretName"].stringValue ?? "", source, mode: Self.mode(source))
        } else if !volume["downwardAPI"].isNull {
            try add(downward: volume["downwardAPI"], mode: Self.mode(volume["downwardAPI"]))
        } else if !volume["projected"].isNull {
            let mode = Self.mode(volume["projected"])
            for source in volume["projected"]["sources"].elements {
                try add(.configMap, projected: source["configMap"], mode: mode)
                try add(.secret, projected: source["secret"], mode: mode)
                if !source["downwardAPI"].isNull { try add(downward: source["downwardAPI"], mode: mode) }
                if !source["serviceAccountToken"].isNull, let tokens {
                    let token = source["serviceAccountToken"]
                    try put(["path": token["path"]], Array(try tokens.token(token, for: fields.pod.object).utf8), mode: mode)
                }
            }
        }
    }

    private static func mode(_ source: JSON) -> UInt32 { UInt32(clamping: source["defaultMode"].intValue ?? 0o644) & 0o777 }

    private mutating func add(_ kind: ConfigLookup.Kind, projected source: JSON, mode: UInt32) throws(MissingConfiguration) {
        guard !source.isNull else { return }
        try add(kind, name: source["name"].stringValue ?? "", source, mode: mode)
    }

    private mutating func add(_ kind: ConfigLookup.Kind, name: String, _ source: JSON, mode: UInt32) throws(MissingConfiguration) {
        let isOptional = source["optional"].boolValue == true
        guard let data = config.data(kind, name) else {
            if isOptional { return }
            throw MissingConfiguration(description: "\(kind.rawValue) \"\(name)\" not found")
        }
        let items = source["items"].elements
        if items.isEmpty {
            for (key, bytes) in data { files[key] = File(bytes: bytes, mode: mode) }
        }
        for item in items {
            let key = item["key"].stringValue ?? ""
            guard let bytes = data[key] else {
                if isOptional { continue }
                throw MissingConfiguration(description: "references non-existent \(kind == .secret ? "secret" : "config") key: \(key)")
            }
            try put(item, bytes, mode: mode)
        }
    }

    private mutating func add(downward source: JSON, mode: UInt32) throws(MissingConfiguration) {
        for item in source["items"].elements {
            let text: String
            do {
                if let path = item["fieldRef"]["fieldPath"].stringValue {
                    text = try fields.value(of: path)
                } else {
                    text = try fields.value(ofResource: item["resourceFieldRef"])
                }
            } catch {
                throw MissingConfiguration(description: "\(error)")
            }
            try put(item, Array(text.utf8), mode: mode)
        }
    }

    private mutating func put(_ item: JSON, _ bytes: [UInt8], mode: UInt32) throws(MissingConfiguration) {
        let path = item["path"].stringValue ?? ""
        // Validation refuses these at the API; a volume must not write beside itself even if one came another way.
        guard !path.isEmpty, !path.hasPrefix("/"), !path.hasPrefix(".."), !path.split(separator: "/").contains("..") else {
            throw MissingConfiguration(
                description: "invalid path \"\(path)\": must be relative, must not contain '..' and must not start with '..'")
        }
        files[path] = File(bytes: bytes, mode: item["mode"].intValue.map { UInt32(clamping: $0) & 0o777 } ?? mode)
    }
}

/// What fills in the source `serviceAccountToken` of projected volumes. Called whenever the pod's files are looked at, so it
/// gives the same token until a new one is due.
public protocol ServiceAccountTokens: Sendable {
    /// - Parameter source: `path`, `audience` and `expirationSeconds` as in the manifest.
    func token(_ source: JSON, for pod: StoredObject) throws(MissingConfiguration) -> String
    /// How long the pod's tokens stay as they are; `nil` where it has none.
    func timeLeft(for pod: StoredObject) -> Duration?
}
