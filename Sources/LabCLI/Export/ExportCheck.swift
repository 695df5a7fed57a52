import KubeModel

/// What would behave otherwise on a cluster than here.
struct ExportCheck {
    /// Whether an image's name was added on this machine.
    let isLocalImage: (String) -> Bool
    /// The access modes of a claim that is not in the export; nil where it does not exist.
    let claimModes: (_ namespace: String, _ name: String) -> [String]?

    /// One sentence each.
    func warnings(_ objects: [JSON]) -> [String] {
        let contained = Set(objects.map { key($0["kind"].stringValue ?? "", $0["metadata"]["name"].stringValue ?? "") })
        var warnings: [String] = []
        for object in objects {
            let title =
                "\((object["kind"].stringValue ?? "").lowercased())/\(object["metadata"]["name"].stringValue ?? object["metadata"]["generateName"].stringValue ?? "")"
            let references = ManifestReferences(object)
            warnings += references.images.filter(isLocalImage).map {
                "\(title): the image \($0) was added on this machine: a cluster pulls that name from a registry, so push one there first"
            }
            if object["kind"].stringValue == "Experiment" {
                warnings += resplit(object).map { "\(title): \($0)" }
                warnings += sharedClaims(object, objects).map { "\(title): \($0)" }
            }
            warnings += references.objects.filter { !contained.contains(key($0.kind, $0.name)) }.map { "\(title): \(Self.absence($0))" }
            if let namespace = object["metadata"]["namespace"].stringValue, namespace != "default",
                !contained.contains(key("Namespace", namespace))
            {
                warnings.append("\(title): the namespace \(namespace) is not in the export: it must exist on the cluster")
            }
        }
        return warnings
    }

    private func key(_ kind: String, _ name: String) -> String { "\(kind)/\(name)" }

    private static func absence(_ reference: ManifestReferences.Reference) -> String {
        switch reference.kind {
        case "StorageClass": "the storage class \(reference.name) is not in the export: the cluster must have one of that name"
        case "Secret": "the secret \(reference.name) is not in the export: make it on the cluster first"
        case "PersistentVolumeClaim": "the claim \(reference.name) is not in the export, and its data stays here"
        default: "the \(reference.kind) \(reference.name) is not in the export: it must exist on the cluster"
        }
    }

    // MARK: Katib

    /// Katib's webhook joins the primary container's command and arguments with spaces and gives them to `sh -c`, unless they
    /// begin with `sh -c` themselves (katib pkg/webhook/v1beta1/pod/utils.go, wrapWorkerContainer).
    private func resplit(_ experiment: JSON) -> [String] {
        let collector = experiment["spec"]["metricsCollectorSpec"]["collector"]["kind"].stringValue ?? "StdOut"
        guard ["StdOut", "File", "TensorFlowEvent"].contains(collector) else { return [] }
        let template = experiment["spec"]["trialTemplate"]
        let primary = template["primaryContainerName"].stringValue
        return Self.podSpecs(template["trialSpec"]).flatMap(\.["containers"].elements).filter { $0["name"].stringValue == primary }.flatMap
        { container in
            let words = (container["command"].elements + container["args"].elements).compactMap(\.stringValue)
            if words.count >= 2, words[0] == "sh", words[1] == "-c" { return [String]() }
            return words.filter(Self.isResplit).map {
                "Katib gives the whole command to 'sh -c' unquoted, where this argument does not stay one word: \(JSON.string(Self.shortened($0)).text)"
            }
        }
    }

    private static func shortened(_ text: String) -> String { text.count > 60 ? text.prefix(59) + "…" : text }

    /// Whether a shell would take the word apart or put something else in its place.
    static func isResplit(_ word: String) -> Bool {
        if word.isEmpty { return true }
        // Placeholders are filled in before the shell sees them, and $$ and $(VAR) by the kubelet.
        var rest = Substring(word)
        while let start = rest.range(of: "${trialParameters.") {
            let before = rest[..<start.lowerBound]
            if before.contains(where: isSpecial) { return true }
            guard let end = rest[start.upperBound...].firstIndex(of: "}") else { break }
            rest = rest[rest.index(after: end)...]
        }
        return rest.contains(where: isSpecial)
    }

    private static func isSpecial(_ character: Character) -> Bool {
        character.isWhitespace || "|&;<>()$`\\\"'*?[]#~!{}".contains(character)
    }

    /// One claim that a cluster mounts on one node only, wanted by several trials at a time.
    private func sharedClaims(_ experiment: JSON, _ objects: [JSON]) -> [String] {
        let parallel = experiment["spec"]["parallelTrialCount"].intValue ?? 3
        guard parallel > 1 else { return [] }
        let namespace = experiment["metadata"]["namespace"].stringValue ?? "default"
        return ManifestReferences(experiment["spec"]["trialTemplate"]).objects.filter { $0.kind == "PersistentVolumeClaim" }.compactMap {
            claim in
            let exported = objects.first { $0["kind"].stringValue == claim.kind && $0["metadata"]["name"].stringValue == claim.name }
            let modes = exported?["spec"]["accessModes"].elements.compactMap(\.stringValue) ?? claimModes(namespace, claim.name) ?? []
            guard !modes.isEmpty, modes.allSatisfy({ $0.hasPrefix("ReadWriteOnce") }) else { return nil }
            return
                "\(parallel) trials at a time share the claim \(claim.name), which is \(modes.joined(separator: " and ")): on a cluster those on "
                + "another node wait; use ReadWriteMany or parallelTrialCount: 1"
        }
    }

    /// Every pod specification in a value.
    static func podSpecs(_ value: JSON) -> [JSON] {
        switch value {
        case .array(let elements): elements.flatMap(podSpecs)
        case .object(let members): (value["containers"].arrayValue == nil ? [] : [value]) + members.values.flatMap(podSpecs)
        default: []
        }
    }
}

extension Substring {
    /// The first place of a text in this one.
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}
