import KubeModel

extension Printers {
    static let nodes: [String: Printer] = [
        "nodeStatus": { node, _ in
            let ready = node["status"]["conditions"].elements.first { $0["type"] == "Ready" }
            var words = [ready.map { $0["status"] == "True" ? "Ready" : "NotReady" } ?? "Unknown"]
            if node["spec"]["unschedulable"].boolValue == true { words.append("SchedulingDisabled") }
            return joined(words)
        },
        "nodeRoles": { node, _ in
            var roles: Set<String> = []
            for (key, value) in node["metadata"]["labels"].stringMap {
                let prefix = "node-role.kubernetes.io/"
                if key.hasPrefix(prefix), key.count > prefix.count { roles.insert(String(key.dropFirst(prefix.count))) }
                if key == "kubernetes.io/role", !value.isEmpty { roles.insert(value) }
            }
            return roles.isEmpty ? "<none>" : joined(roles.sorted())
        },
        "nodeInternalIP": { node, _ in address(of: node, "InternalIP") },
        "nodeExternalIP": { node, _ in address(of: node, "ExternalIP") },
        "nodeOSImage": { node, _ in information(of: node, "osImage") },
        "nodeKernelVersion": { node, _ in information(of: node, "kernelVersion") },
        "nodeContainerRuntime": { node, _ in information(of: node, "containerRuntimeVersion") },
    ]

    private static func address(of node: JSON, _ type: String) -> JSON {
        none(node["status"]["addresses"].elements.first { $0["type"].stringValue == type }?["address"].stringValue)
    }

    private static func information(of node: JSON, _ field: String) -> JSON {
        let text = node["status"]["nodeInfo"][field].stringValue ?? ""
        return text.isEmpty ? "<unknown>" : .string(text)
    }
}
