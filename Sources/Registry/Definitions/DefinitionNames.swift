public import Catalogue
public import KubeModel

/// Which names a CustomResourceDefinition gets: the first that asks has them (upstream: apiextensions' naming and establishing
/// controllers, in one step).
public enum DefinitionNames {
    /// Sets `acceptedNames` and the conditions NamesAccepted and Established.
    /// - Parameter others: the other definitions of the same group.
    public static func settle(_ definition: inout JSON, others: [JSON], now: Timestamp) {
        var resources: Set<String> = []
        var kinds: Set<String> = []
        for names in others.map({ $0["status"]["acceptedNames"] }) {
            resources.formUnion([names["plural"], names["singular"]].compactMap(\.stringValue) + names["shortNames"].elements.compactMap(\.stringValue))
            kinds.formUnion([names["kind"], names["listKind"]].compactMap(\.stringValue))
        }
        let wanted = definition["spec"]["names"]
        var accepted = definition["status"]["acceptedNames"]
        var conflict: (reason: String, message: String)?
        func settle(_ keys: [String], _ taken: Set<String>) {
            for key in keys {
                let name = wanted[key].stringValue ?? ""
                if name == accepted[key].stringValue ?? "" || !taken.contains(name) { accepted[key] = wanted[key] } else {
                    conflict = ("\(key.prefix(1).uppercased())\(key.dropFirst())Conflict", "\(JSON.quoted(name)) is already in use")
                }
            }
        }
        // The last conflict is the one that is told.
        settle(["plural", "singular"], resources)
        if wanted["shortNames"] != accepted["shortNames"] {
            let own = accepted["shortNames"].elements
            let taken = wanted["shortNames"].elements.filter { !own.contains($0) && resources.contains($0.stringValue ?? "") }.compactMap(\.stringValue)
            if taken.isEmpty { accepted["shortNames"] = wanted["shortNames"] } else {
                let messages = taken.map { "\(JSON.quoted($0)) is already in use" }
                conflict = ("ShortNamesConflict", messages.count == 1 ? messages[0] : "[\(messages.joined(separator: ", "))]")
            }
            if accepted["shortNames"].isNull { accepted.remove("shortNames") }
        }
        settle(["kind", "listKind"], kinds)
        accepted["categories"] = wanted["categories"]
        if accepted["categories"].isNull { accepted.remove("categories") }
        // These two are always there, empty where nothing was accepted yet.
        for key in ["plural", "kind"] where accepted[key].isNull { accepted[key] = "" }
        definition["status"]["acceptedNames"] = accepted
        if let conflict { setCondition(&definition, "NamesAccepted", false, conflict.reason, conflict.message, now) } else {
            setCondition(&definition, "NamesAccepted", true, "NoConflicts", "no conflicts found", now)
        }
        if isTrue(definition, "Established") { return }
        if conflict == nil { setCondition(&definition, "Established", true, "InitialNamesAccepted", "the initial names have been accepted", now) } else {
            setCondition(&definition, "Established", false, "NotAccepted", "not all names are accepted", now)
        }
    }

    public static func isTrue(_ definition: JSON, _ type: String) -> Bool {
        definition["status"]["conditions"].elements.contains { $0["type"].stringValue == type && $0["status"].stringValue == "True" }
    }

    /// Sets a condition; its time changes with its status alone.
    public static func setCondition(_ definition: inout JSON, _ type: String, _ holds: Bool, _ reason: String, _ message: String, _ now: Timestamp) {
        let status = holds ? "True" : "False"
        var conditions = definition["status"]["conditions"].elements
        let index = conditions.firstIndex { $0["type"].stringValue == type }
        let before = index.map { conditions[$0] } ?? .null
        let time = before["status"].stringValue == status ? before["lastTransitionTime"] : .string(now.description)
        let made: JSON = ["type": .string(type), "status": .string(status), "lastTransitionTime": time, "reason": .string(reason), "message": .string(message)]
        if let index { conditions[index] = made } else { conditions.append(made) }
        definition["status"]["conditions"] = .array(conditions)
    }
}

/// How a CustomResourceDefinition goes: after its objects (upstream: apiextensions' finalizer controller).
public enum DefinitionCleanup {
    public static let finalizer = "customresourcecleanup.apiextensions.k8s.io"

    /// The definition as the first request to delete it leaves it, before its deletion begins.
    static func pending(_ definition: JSON, now: Timestamp) -> JSON {
        var definition = definition
        let finalizers = definition["metadata"]["finalizers"].elements
        if !finalizers.contains(.string(finalizer)) { definition["metadata"]["finalizers"] = .array(finalizers + [.string(finalizer)]) }
        DefinitionNames.setCondition(
            &definition, "Terminating", true, "InstanceDeletionPending",
            "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon", now)
        return definition
    }

    /// The kind of the objects that a definition defines.
    public static func resource(of definition: JSON) -> GroupResource {
        GroupResource(definition["spec"]["names"]["plural"].stringValue ?? "", group: definition["spec"]["group"].stringValue ?? "")
    }
}
