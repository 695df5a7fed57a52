import Catalogue
import Crypto
import KubeModel
import Registry
import Synchronization

/// What tells whether two trials ran the same code: the image, command, arguments and variables of every container of the template,
/// before values were put in, and what the ConfigMaps hold that it mounts. Data in claims is not looked at, but for claims that
/// say what they hold.
enum CodeDigest {
    /// - Returns: SHA-256 in hexadecimal; `nil` where the trial's template has no pod.
    static func of(_ trial: StoredObject, _ client: Client) -> String? {
        let template = template(of: trial, client) ?? trial.spec["runSpec"]
        let pods = podSpecs(template)
        guard !pods.isEmpty else { return nil }
        var hash = SHA256()
        func add(_ text: String) {
            hash.update(data: Array("\(text.utf8.count):".utf8))
            hash.update(data: Array(text.utf8))
        }
        for pod in pods {
            for container in pod["initContainers"].elements + pod["containers"].elements {
                for key in ["image", "command", "args", "env", "workingDir"] { add(container[key].text) }
                for source in container["envFrom"].elements { add(content(source["configMapRef"]["name"], trial.namespace, client)) }
            }
            for volume in pod["volumes"].elements {
                if let name = volume["persistentVolumeClaim"]["claimName"].stringValue {
                    add(client.get(.persistentVolumeClaims, namespace: trial.namespace, name: name)?.annotations[KatibLabel.codeDigest] ?? "")
                }
                add(volume["configMap"]["items"].text)
                for source in [volume] + volume["projected"]["sources"].elements {
                    add(content(source["configMap"]["name"], trial.namespace, client))
                }
            }
        }
        return hex(hash.finalize())
    }

    private static func template(of trial: StoredObject, _ client: Client) -> JSON? {
        let owner = trial.metadata["ownerReferences"].elements.first { $0["kind"].stringValue == "Experiment" }
        guard let name = owner?["name"].stringValue, let experiment = client.get(.experiments, namespace: trial.namespace, name: name) else { return nil }
        let inline = experiment.spec["trialTemplate"]["trialSpec"]
        if !inline.isNull { return inline }
        guard let text = try? TrialTemplate.text(of: experiment.value, catalogue: client.catalogue) else { return nil }
        return try? TrialTemplate.object(from: text)
    }

    private static func content(_ name: JSON, _ namespace: String, _ client: Client) -> String {
        guard let name = name.stringValue, let map = client.get(.configMaps, namespace: namespace, name: name) else { return "" }
        // Every trial of an experiment mounts the same one.
        let version = "\(map.uid)/\(map.revision)"
        if let known = contents.withLock({ $0[version] }) { return known }
        func sorted(_ members: JSON) -> String { members.members.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.text)" }.joined(separator: "\n") }
        let text = sorted(map.value["data"]) + "\n\n" + sorted(map.value["binaryData"])
        let digest = hex(SHA256.hash(data: Array(text.utf8)))
        contents.withLock { contents in
            if contents.count >= 256 { contents = [:] }
            contents[version] = digest
        }
        return digest
    }

    /// Digests of ConfigMaps by their uids and revisions.
    private static let contents = Mutex<[String: String]>([:])

    private static func hex(_ digest: SHA256.Digest) -> String { digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }

    /// Every pod specification in a value.
    static func podSpecs(_ value: JSON) -> [JSON] {
        switch value {
        case .array(let elements): elements.flatMap(podSpecs)
        case .object(let members): (value["containers"].arrayValue == nil ? [] : [value]) + members.values.flatMap(podSpecs)
        default: []
        }
    }
}
