import KubeModel

/// What works in volumes and claims of them but deserves a word (upstream: pkg/api/pod/warnings.go, pkg/api/persistentvolume
/// and pkg/api/persistentvolumeclaim).
enum VolumeWarnings {
    /// Kinds of volumes that went, in upstream's order.
    private static let removed: KeyValuePairs = [
        "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+", "gitRepo": "deprecated in v1.11",
        "scaleIO": "deprecated in v1.16, non-functional in v1.22+", "flocker": "deprecated in v1.22, non-functional in v1.25+",
        "storageos": "deprecated in v1.22, non-functional in v1.25+", "quobyte": "deprecated in v1.22, non-functional in v1.25+",
        "glusterfs": "deprecated in v1.25, non-functional in v1.26+", "cephfs": "deprecated in v1.28, non-functional in v1.31+",
        "rbd": "deprecated in v1.28, non-functional in v1.31+",
    ]
    /// Of persistent volumes upstream names only these.
    private static let removedOfPersistent: Set<String> = ["photonPersistentDisk", "scaleIO", "storageos", "glusterfs", "cephfs", "rbd"]
    /// Upstream writes this one otherwise than its field is called.
    private static func spelled(_ name: String) -> String { name == "storageos" ? "storageOS" : name }

    private static let classAnnotation = "volume.beta.kubernetes.io/storage-class"
    private static let oldClass = "metadata.annotations[\(classAnnotation)]: deprecated since v1.8; use \"storageClassName\" attribute instead"

    /// Of a pod's volumes.
    static func all(_ volumes: [JSON], at path: String) -> [String] {
        var found: [String] = []
        for (index, volume) in volumes.enumerated() {
            let place = "\(path)[\(index)]"
            for (name, text) in removed where !volume[name].isNull { found.append("\(place).\(spelled(name)): \(text)") }
            found += claimSpec(volume["ephemeral"]["volumeClaimTemplate"]["spec"], at: "\(place).ephemeral.volumeClaimTemplate.spec")
        }
        return found + volumes.flatMap(overlaps)
    }

    static func persistentVolume(_ object: JSON) -> [String] {
        let spec = object["spec"]
        var found = object["metadata"]["annotations"].has(classAnnotation) ? [oldClass] : []
        if spec["persistentVolumeReclaimPolicy"] == "Recycle" {
            let text = "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."
            found.append("spec.persistentVolumeReclaimPolicy: \(text)")
        }
        found += NodeLabelWarnings.terms(spec["nodeAffinity"]["required"]["nodeSelectorTerms"], at: "spec.nodeAffinity.required.nodeSelectorTerms")
        for (name, text) in removed where removedOfPersistent.contains(name) && !spec[name].isNull { found.append("spec.\(spelled(name)): \(text)") }
        return found
    }

    static func claim(_ object: JSON) -> [String] {
        (object["metadata"]["annotations"].has(classAnnotation) ? [oldClass] : []) + claimSpec(object["spec"], at: "spec")
    }

    static func claimSpec(_ spec: JSON, at path: String) -> [String] {
        ["requests", "limits"].flatMap { AmountWarnings.fractions(in: spec["resources"][$0], at: "\(path).resources.\($0)", ["storage"]) }
    }

    // MARK: Files that hide each other

    private static func overlaps(_ volume: JSON) -> [String] {
        let name = JSON.quoted(volume["name"].stringValue ?? "")
        func items(_ source: String, _ words: String) -> [String] {
            overlaps(volume[source]["items"].elements.map(path), "volume \(name) (\(words)): overlapping paths")
        }
        return items("configMap", "ConfigMap \(quoted(volume["configMap"]["name"]))")
            + items("secret", "Secret \(quoted(volume["secret"]["secretName"]))") + items("downwardAPI", "DownwardAPI")
            + projected(volume["projected"]["sources"].elements, name)
    }

    private static func quoted(_ text: JSON) -> String { JSON.quoted(text.stringValue ?? "") }
    private static func path(_ item: JSON) -> String { item["path"].stringValue ?? "" }

    private static func projected(_ sources: [JSON], _ name: String) -> [String] {
        var found: [String] = []
        var earlier: Set<String> = []
        for source in sources {
            if source.members.isEmpty {
                found.append("volume \(name) (Projected) has no sources provided")
                continue
            }
            guard let (words, paths) = files(source), !paths.isEmpty else { continue }
            let message = "volume \(name) (Projected \(words)): overlapping paths"
            found += overlaps(paths, message)
            let own = Set(paths)
            found += overlaps((Array(own) + Array(earlier)).sorted(), message)
            earlier.formUnion(own)
        }
        return found
    }

    private static func files(_ source: JSON) -> (words: String, paths: [String])? {
        func items(_ key: String) -> [String] { source[key]["items"].elements.map(path) }
        if !source["configMap"]["items"].isNull { return ("ConfigMap \(quoted(source["configMap"]["name"]))", items("configMap")) }
        if !source["secret"]["items"].isNull { return ("Secret \(quoted(source["secret"]["name"]))", items("secret")) }
        if !source["downwardAPI"]["items"].isNull { return ("DownwardAPI", items("downwardAPI")) }
        if !source["serviceAccountToken"].isNull { return ("ServiceAccountToken", [path(source["serviceAccountToken"])]) }
        let bundle = source["clusterTrustBundle"]
        if bundle.isNull { return nil }
        return ("ClusterTrustBundle \(quoted(bundle["name"].isNull ? bundle["signerName"] : bundle["name"]))", [path(bundle)])
    }

    private static func overlaps(_ paths: [String], _ message: String) -> [String] {
        var found: [String] = []
        var earlier: [String] = []
        for path in paths {
            let path = String(path.reversed().drop { $0 == "/" }.reversed())
            if let other = earlier.first(where: { isOver(path, $0) }) { found.append("\(message): \(JSON.quoted(path)) with \(JSON.quoted(other))") }
            if !earlier.contains(path) { earlier.append(path) }
        }
        return found
    }

    private static func isOver(_ path: String, _ other: String) -> Bool {
        if path.isEmpty || other.isEmpty { return false }
        return path == other || "\(other)/".hasPrefix(path) || "\(path)/".hasPrefix(other)
    }
}
