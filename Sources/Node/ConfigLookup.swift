import Catalogue
import KubeModel
import Registry

/// The ConfigMaps and Secrets that a pod may name.
struct ConfigLookup: Sendable {
    let namespace: String
    private let find: @Sendable (ObjectKey) -> StoredObject?

    init(namespace: String, find: @escaping @Sendable (ObjectKey) -> StoredObject?) {
        self.namespace = namespace
        self.find = find
    }

    enum Kind: String, Sendable {
        case configMap = "configmap"
        case secret = "secret"

        /// As kubelet spells it before a name in messages about keys.
        var title: String { self == .configMap ? "ConfigMap" : "Secret" }
        var resource: GroupResource { self == .configMap ? .configMaps : .secrets }
    }

    /// All keys with their bytes; `nil` where there is no such object.
    func data(_ kind: Kind, _ name: String) -> [String: [UInt8]]? {
        guard let object = find(ObjectKey(kind.resource, namespace: namespace, name: name)) else { return nil }
        var data: [String: [UInt8]] = [:]
        switch kind {
        case .configMap:
            for (key, value) in object.value["data"].stringMap { data[key] = Array(value.utf8) }
            for (key, value) in object.value["binaryData"].stringMap { data[key] = Base64.decode(value) ?? [] }
        case .secret:
            for (key, value) in object.value["data"].stringMap { data[key] = Base64.decode(value) ?? [] }
        }
        return data
    }
}

/// Something that the pod needs and that is not there (yet). The container waits with `CreateContainerConfigError`, or the
/// volume with an Event `FailedMount`.
public struct MissingConfiguration: Error, CustomStringConvertible, Equatable {
    public let description: String

    public init(description: String) { self.description = description }
}
