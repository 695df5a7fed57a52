import Catalogue
import KubeModel

/// ConfigMaps and Secrets (pkg/apis/core/validation: ValidateConfigMap, ValidateSecret and their updates).
enum DataRules {
    /// What one object may hold in all, in bytes.
    static let largest = 1 << 20

    static func validateConfigMap(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        var causes = old.map { changes(object, $0, ["data", "binaryData"]) } ?? []
        var size = 0
        for bag in ["data", "binaryData"] {
            for (key, value) in object[bag].members {
                causes += Names.configMapKey(key).map { .invalid("\(bag)[\(key)]", .string(key), $0) }
                if bag == "data" {
                    if object["binaryData"].has(key) { causes.append(.invalid("data[\(key)]", .string(key), "duplicate of key present in binaryData")) }
                    size += value.stringValue?.utf8.count ?? 0
                } else {
                    size += Base64.decode(value.stringValue ?? "")?.count ?? 0
                }
            }
        }
        // Upstream names no field: the object as a whole is too long.
        return size > largest ? causes + [.tooLong("[]", maximum: largest)] : causes
    }

    static func validateSecret(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        var causes = old.map { changes(object, $0, ["data"]) } ?? []
        if let old, old["type"] != object["type"] { causes.append(.invalid("type", object["type"], "field is immutable")) }
        var size = 0
        for (key, value) in object["data"].members {
            causes += Names.configMapKey(key).map { .invalid("data[\(key)]", .string(key), $0) }
            if let bytes = Base64.decode(value.stringValue ?? "") {
                size += bytes.count
            } else {
                causes.append(.invalid("data[\(key)]", "<redacted>", "must be base64-encoded"))
            }
        }
        if size > largest { causes.append(.tooLong("data", maximum: largest)) }
        return causes + content(object)
    }

    private static func changes(_ object: JSON, _ old: JSON, _ bags: [String]) -> [APIStatus.Cause] {
        guard old["immutable"].boolValue == true else { return [] }
        var causes: [APIStatus.Cause] = []
        if object["immutable"].boolValue != true { causes.append(.forbidden("immutable", "field is immutable when `immutable` is set")) }
        for bag in bags where object[bag] != old[bag] { causes.append(.forbidden(bag, "field is immutable when `immutable` is set")) }
        return causes
    }

    // MARK: Types of Secrets

    /// Keys that a type asks for: all of them.
    private static let needed = [
        "kubernetes.io/tls": ["tls.crt", "tls.key"], "kubernetes.io/dockercfg": [".dockercfg"], "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
        "kubernetes.io/ssh-auth": ["ssh-privatekey"],
    ]
    private static let accountName = "kubernetes.io/service-account.name"

    private static func content(_ secret: JSON) -> [APIStatus.Cause] {
        let (type, data) = (secret["type"].stringValue ?? "", secret["data"])
        switch type {
        case "kubernetes.io/service-account-token":
            let name = secret["metadata"]["annotations"][accountName].stringValue ?? ""
            return name.isEmpty ? [.required("metadata.annotations[\(accountName)]")] : []
        case "kubernetes.io/basic-auth":
            // Either may be missing, and be empty.
            return data.has("username") || data.has("password") ? [] : [.required("data[username]"), .required("data[password]")]
        default: break
        }
        let isKey = type == "kubernetes.io/ssh-auth"
        let missing = needed[type, default: []].filter { isKey ? (data[$0].stringValue ?? "").isEmpty : !data.has($0) }
        if !missing.isEmpty { return missing.map { .required("data[\($0)]") } }
        guard type.hasPrefix("kubernetes.io/dockerc"), let key = needed[type]?.first else { return [] }
        return document(data[key]).map { [.invalid("data[\(key)]", "<secret contents redacted>", $0)] } ?? []
    }

    /// Why a value is no JSON object, in the words of Go's decoder; nil where it is one.
    private static func document(_ value: JSON) -> String? {
        guard let bytes = Base64.decode(value.stringValue ?? ""), !bytes.isEmpty else { return "unexpected end of JSON input" }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let json = try? JSONParser.parse(text) else {
            let first = text.unicodeScalars.first { !$0.properties.isWhitespace }
            return "invalid character '\(first.map { String($0) } ?? " ")' looking for beginning of value"
        }
        if case .object = json { return nil }
        return json.isNull ? nil : "json: cannot unmarshal \(json.arrayValue == nil ? json.typeName : "array") into Go value of type map[string]interface {}"
    }
}
