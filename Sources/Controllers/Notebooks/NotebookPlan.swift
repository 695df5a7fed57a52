import Catalogue
import KubeModel
import Registry

/// The objects that a Notebook stands for, as upstream's notebook-controller generates them (kubeflow/kubeflow,
/// components/notebook-controller/controllers/notebook_controller.go).
enum NotebookPlan {
    static let defaultPort = 8888
    static let servingPort = 80
    static let home = "/home/jovyan"
    static let stoppedAnnotation = "kubeflow-resource-stopped"
    static let prefixVariable = "NB_PREFIX"
    static let tokenVariable = "JUPYTER_TOKEN"
    static let tokenKey = "token"

    static func prefix(_ notebook: StoredObject) -> String { "/notebook/\(notebook.namespace)/\(notebook.name)" }
    static func secretName(_ notebook: String) -> String { "\(notebook)-token" }
    static func isStopped(_ notebook: StoredObject) -> Bool { notebook.metadata["annotations"].has(stoppedAnnotation) }

    /// Where the server listens in the pod: the first port of the first container.
    static func port(_ notebook: StoredObject) -> Int {
        notebook.spec["template"]["spec"]["containers"][0]["ports"][0]["containerPort"].intValue ?? defaultPort
    }

    // MARK: StatefulSet

    static func statefulSet(_ notebook: StoredObject) -> JSON {
        let name = JSON.string(notebook.name)
        var metadata = metadata(notebook.name, notebook)
        let template: JSON = ["metadata": templateMetadata(notebook), "spec": podSpec(notebook)]
        metadata["annotations"] = [templateMark: .string(mark(of: template))]
        return [
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata,
            "spec": [
                "replicas": isStopped(notebook) ? 0 : 1,
                "selector": ["matchLabels": ["statefulset": name]],
                "serviceName": "",
                "template": template,
            ],
        ]
    }

    /// Which template of the Notebook the StatefulSet was last given: admission fills in fields beside, so the two cannot
    /// be compared as they are.
    static let templateMark = "kindling.dev/notebook-template"

    /// FNV-1a, 64 bits, of the template's text.
    private static func mark(of template: JSON) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in template.encoded() { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        return String(hash, radix: 16)
    }

    private static func metadata(_ name: String, _ notebook: StoredObject) -> JSON {
        ["name": .string(name), "namespace": .string(notebook.namespace), "ownerReferences": [Owners.reference(to: notebook)]]
    }

    /// All labels of the Notebook and those annotations that are not about the Notebook itself.
    private static func templateMetadata(_ notebook: StoredObject) -> JSON {
        var metadata: JSON = ["labels": ["statefulset": .string(notebook.name), "notebook-name": .string(notebook.name)]]
        for (key, value) in notebook.metadata["labels"].members { metadata["labels"][key] = value }
        for (key, value) in notebook.metadata["annotations"].members where isForPod(key) { metadata["annotations"][key] = value }
        return metadata
    }

    private static func isForPod(_ annotation: String) -> Bool {
        !annotation.contains("kubectl") && !annotation.contains("notebook") && annotation != stoppedAnnotation
            && !annotation.hasPrefix("kindling.dev/")
    }

    private static func podSpec(_ notebook: StoredObject) -> JSON {
        var spec = notebook.spec["template"]["spec"]
        var containers = spec["containers"].elements
        if var container = containers.first {
            if (container["workingDir"].stringValue ?? "").isEmpty { container["workingDir"] = .string(home) }
            if container["ports"].elements.isEmpty {
                container["ports"] = [["containerPort": JSON(defaultPort), "name": "notebook-port", "protocol": "TCP"]]
            }
            container["env"] = .array(environment(container["env"].elements, notebook))
            containers[0] = container
            spec["containers"] = .array(containers)
        }
        if spec["securityContext"].isNull { spec["securityContext"] = ["fsGroup": 100] }
        return spec
    }

    /// What the user set stays as it is. The token comes from the Secret, so that it stands in no manifest.
    private static func environment(_ given: [JSON], _ notebook: StoredObject) -> [JSON] {
        let names = Set(given.compactMap { $0["name"].stringValue })
        var environment = given
        if !names.contains(prefixVariable) { environment.append(["name": .string(prefixVariable), "value": .string(prefix(notebook))]) }
        if !names.contains(tokenVariable) {
            let reference: JSON = ["name": .string(secretName(notebook.name)), "key": .string(tokenKey)]
            environment.append(["name": .string(tokenVariable), "valueFrom": ["secretKeyRef": reference]])
        }
        return environment
    }

    // MARK: Service and Secret

    static func service(_ notebook: StoredObject) -> JSON {
        [
            "apiVersion": "v1", "kind": "Service", "metadata": metadata(notebook.name, notebook),
            "spec": [
                "type": "ClusterIP", "selector": ["statefulset": .string(notebook.name)],
                "ports": [
                    [
                        "name": .string("http-\(notebook.name)"), "port": JSON(servingPort), "targetPort": JSON(port(notebook)),
                        "protocol": "TCP",
                    ]
                ],
            ],
        ]
    }

    /// - Parameter token: 48 hexadecimal digits, or what the user's own `JUPYTER_TOKEN` says.
    static func secret(_ notebook: StoredObject, token: String) -> JSON {
        var metadata = metadata(secretName(notebook.name), notebook)
        metadata["labels"] = ["notebook-name": .string(notebook.name)]
        return [
            "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque",
            "data": [tokenKey: .string(Base64.encode(Array(token.utf8)))],
        ]
    }

    /// A token that the Notebook itself gives; then the Secret repeats it for `lab open`.
    static func ownToken(_ notebook: StoredObject) -> String? {
        notebook.spec["template"]["spec"]["containers"][0]["env"].elements
            .first { $0["name"].stringValue == tokenVariable }?["value"].stringValue
    }

    static func randomToken() -> String {
        let digits = Array("0123456789abcdef".utf8)
        var generator = SystemRandomNumberGenerator()
        return String(decoding: (0..<48).map { _ in digits[Int.random(in: 0..<16, using: &generator)] }, as: UTF8.self)
    }

    // MARK: Status

    /// The pod's conditions, the state of the container that is called like the Notebook, and the ready replicas.
    static func status(_ notebook: StoredObject, set: StoredObject?, pod: StoredObject?) -> JSON {
        let containers = pod?.status["containerStatuses"].elements ?? []
        let main = containers.first { $0["name"].stringValue == notebook.name }
        let state = main?["state"] ?? .null
        return [
            "conditions": .array((pod?.status["conditions"].elements ?? []).map(condition)),
            "containerState": state.isNull ? [:] : state,
            "readyReplicas": JSON(set?.status["readyReplicas"].intValue ?? 0),
        ]
    }

    /// A pod's condition with the fields that a Notebook's has. Upstream fills missing times with the present, which
    /// would make each look a change; the time of the transition stands in here.
    private static func condition(_ condition: JSON) -> JSON {
        var copy: JSON = [:]
        for key in ["type", "status", "reason", "message", "lastProbeTime", "lastTransitionTime"] where !condition[key].isNull {
            copy[key] = condition[key]
        }
        if copy["lastProbeTime"].isNull, !copy["lastTransitionTime"].isNull { copy["lastProbeTime"] = copy["lastTransitionTime"] }
        return copy
    }
}
