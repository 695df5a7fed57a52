import Catalogue
import KubeModel

/// Gives new pods what their RuntimeClass says of overhead and nodes (upstream: plugin/pkg/admission/runtimeclass).
enum RuntimeClassAdmission {
    static func apply(to pod: inout JSON, _ context: KindRules.Context) throws(APIStatus) {
        let podName = pod["metadata"]["name"].stringValue ?? ""
        func refusal(_ problem: String) -> APIStatus { .forbidden("pods", group: "", name: podName, problem) }
        let name = pod["spec"]["runtimeClassName"].stringValue
        // A name that is none is refused by validation.
        if let name, !Names.dns1123Subdomain(name).isEmpty { return }
        var found: JSON = .null
        if let name {
            guard let object = context.catalogue.get(ObjectKey(.runtimeClasses, name: name)) else {
                throw refusal("pod rejected: RuntimeClass \(JSON.quoted(name)) not found")
            }
            found = object.value
        }
        let (written, overhead) = (pod["spec"]["overhead"], found["overhead"]["podFixed"])
        if found["overhead"].isNull {
            if !written.isNull { throw refusal("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead") }
        } else {
            guard written.isNull || amounts(written) == amounts(overhead) else {
                throw refusal("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
            }
            if !overhead.isNull { pod["spec"]["overhead"] = overhead }
        }
        try schedule(&pod, found["scheduling"], refusal)
    }

    private static func amounts(_ list: JSON) -> [String: Quantity?] { list.members.reduce(into: [:]) { $0[$1.key] = Quantity($1.value) } }

    private static func schedule(_ pod: inout JSON, _ scheduling: JSON, _ refusal: (String) -> APIStatus) throws(APIStatus) {
        for (key, value) in scheduling["nodeSelector"].members {
            let own = pod["spec"]["nodeSelector"][key]
            if !own.isNull, own != value {
                throw refusal(
                    "conflict: runtimeClass.scheduling.nodeSelector[\(key)] = \(value.stringValue ?? ""); pod.spec.nodeSelector[\(key)] = \(own.stringValue ?? "")")
            }
            pod["spec"]["nodeSelector"][key] = value
        }
        let own = pod["spec"]["tolerations"].elements
        let more = scheduling["tolerations"].elements.filter { !own.contains($0) }
        if !more.isEmpty { pod["spec"]["tolerations"] = .array(own + more) }
    }
}
