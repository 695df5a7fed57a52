import KubeModel

/// Values of the pod itself for variables and downward API files (upstream: pkg/fieldpath, component-helpers/resource).
struct FieldReference {
    var pod: PodSpec
    var podAddress: String
    var hostAddress: String
    /// The node's allocatable, which stands for a limit that the container does not have.
    var allocatable: Amounts

    struct Problem: Error, CustomStringConvertible, Equatable {
        let description: String
    }

    /// The value at a field path such as `metadata.labels['app']`.
    func value(of path: String) throws(Problem) -> String {
        if let (map, key) = Self.subscripted(path) {
            return pod.object.metadata[map][key].stringValue ?? ""
        }
        switch path {
        case "metadata.name": return pod.name
        case "metadata.namespace": return pod.namespace
        case "metadata.uid": return pod.uid
        case "metadata.labels": return Self.lines(pod.object.metadata["labels"])
        case "metadata.annotations": return Self.lines(pod.object.metadata["annotations"])
        case "spec.nodeName": return pod.nodeName
        case "spec.serviceAccountName": return pod.json["serviceAccountName"].stringValue ?? "default"
        case "status.hostIP", "status.hostIPs": return hostAddress
        case "status.podIP", "status.podIPs": return podAddress
        default: throw Problem(description: "unsupported fieldPath: \(path)")
        }
    }

    /// `metadata.labels['x']` and `metadata.annotations['x']`.
    private static func subscripted(_ path: String) -> (map: String, key: String)? {
        for map in ["labels", "annotations"] {
            let prefix = "metadata.\(map)['"
            if path.hasPrefix(prefix), path.hasSuffix("']"), path.count >= prefix.count + 2 {
                return (map, String(path.dropFirst(prefix.count).dropLast(2)))
            }
        }
        return nil
    }

    /// `key="value"` lines in the order of keys, the value escaped as Go's `%q` does.
    private static func lines(_ map: JSON) -> String {
        map.stringMap.sorted { $0.key < $1.key }.map { "\($0.key)=\(JSON.string($0.value).text)" }.joined(separator: "\n")
    }

    /// The value of a `resourceFieldRef`.
    func value(ofResource reference: JSON, in container: ContainerSpec) throws(Problem) -> String {
        let resource = reference["resource"].stringValue ?? ""
        let divisor = Quantity(reference["divisor"]) ?? .zero
        let parts = resource.split(separator: ".", maxSplits: 1).map(String.init)
        guard parts.count == 2, parts[0] == "limits" || parts[0] == "requests" else {
            throw Problem(description: "unsupported container resource: \(resource)")
        }
        let amounts = parts[0] == "limits" ? PodResources.limits(of: container) : PodResources.requests(of: container)
        let fallback = parts[0] == "limits" ? allocatable[parts[1]] ?? .zero : .zero
        let amount = amounts[parts[1]] ?? fallback
        let unit = divisor.isZero ? Quantity(1) : divisor
        let (quotient, remainder) = amount.nanos.quotientAndRemainder(dividingBy: unit.nanos)
        return String(quotient + (remainder > 0 ? 1 : 0))
    }

    /// As above for a volume, where the container is named.
    func value(ofResource reference: JSON) throws(Problem) -> String {
        let name = reference["containerName"].stringValue ?? ""
        guard let container = pod.all.first(where: { $0.name == name }) else {
            throw Problem(description: "container \(name) not found")
        }
        return try value(ofResource: reference, in: container)
    }
}
