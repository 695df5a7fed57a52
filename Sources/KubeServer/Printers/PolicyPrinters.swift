import KubeModel

extension Printers {
    static let policies: [String: Printer] = [
        "roleRef": { object, _ in .string("\(object["roleRef"]["kind"].stringValue ?? "")/\(object["roleRef"]["name"].stringValue ?? "")") },
        "subjectUsers": { object, _ in subjects(object, "User") },
        "subjectGroups": { object, _ in subjects(object, "Group") },
        "subjectAccounts": { object, _ in
            let accounts = object["subjects"].elements.filter { $0["kind"] == "ServiceAccount" }
            return joined(accounts.map { "\($0["namespace"].stringValue ?? "")/\($0["name"].stringValue ?? "")" }, ", ")
        },
        "createdAt": { object, _ in object["metadata"]["creationTimestamp"] },
        "globalDefault": { object, _ in .bool(object["globalDefault"].boolValue ?? false) },
        "minAvailable": { object, _ in available(object["spec"]["minAvailable"]) },
        "maxUnavailable": { object, _ in available(object["spec"]["maxUnavailable"]) },
        "disruptionsAllowed": { object, _ in count(object["status"]["disruptionsAllowed"]) },
        "quotaRequests": { object, _ in quota(object) { !$0.hasPrefix("limits.") } },
        "quotaLimits": { object, _ in quota(object) { $0.hasPrefix("limits.") } },
    ]

    private static func subjects(_ object: JSON, _ kind: String) -> JSON {
        joined(object["subjects"].elements.filter { $0["kind"].stringValue == kind }.compactMap { $0["name"].stringValue }, ", ")
    }

    private static func available(_ value: JSON) -> JSON { value.isNull ? "N/A" : .string(value.stringValue ?? value.text) }

    /// `cpu: 1/2, memory: 1Gi/4Gi`: used and allowed.
    private static func quota(_ object: JSON, _ isWanted: (String) -> Bool) -> JSON {
        let status = object["status"]
        func text(_ value: JSON) -> String { value.isNull ? "0" : value.stringValue ?? value.text }
        let parts = status["hard"].members.keys.filter(isWanted).sorted()
        return joined(parts.map { "\($0): \(text(status["used"][$0]))/\(text(status["hard"][$0]))" }, ", ")
    }
}
