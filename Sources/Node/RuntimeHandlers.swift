import Catalogue
import KubeModel

/// The runtimes that a RuntimeClass may name here. There is one sandbox for all pods; names under which manifests ask for an ordinary
/// container (with or without GPUs, which the node gives by limits alone) lead to it, and those of machines and of a second kernel do not.
enum RuntimeHandlers {
    static let known = ["", "kindling", "runc", "crun", "nvidia"]

    /// For `status.runtimeHandlers` of the Node.
    static var status: JSON {
        .array(known.map { name in
            let features: JSON = ["recursiveReadOnlyMounts": false, "userNamespaces": false]
            return name.isEmpty ? ["features": features] : ["name": .string(name), "features": features]
        })
    }

    /// Why a pod's runtime is not to be had, in the words of kubelet and containerd; `nil` where it is.
    /// - Parameter find: looks for a RuntimeClass by its name.
    static func problem(of pod: JSON, find: (String) -> JSON?) -> String? {
        guard let name = pod["runtimeClassName"].stringValue, !name.isEmpty else { return nil }
        guard let found = find(name) else { return "RuntimeClass.node.k8s.io \(JSON.quoted(name)) not found" }
        let handler = found["handler"].stringValue ?? ""
        if known.contains(handler) { return nil }
        return "rpc error: code = Unknown desc = failed to get sandbox runtime: no runtime for \(JSON.quoted(handler)) is configured"
    }
}
