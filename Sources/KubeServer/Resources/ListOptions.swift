import KubeModel
import Registry

/// What a list or watch selects, and from when (upstream: meta/internalversion ListOptions and its validation).
struct ListOptions: Sendable {
    enum Match: String { case exact = "Exact", notOlderThan = "NotOlderThan" }

    let labels: LabelSelector
    let fields: FieldSelector
    /// `nil` where none is given.
    let resourceVersion: Int64?
    let match: Match?
    /// 0 is no limit.
    let limit: Int
    let continuation: String?
    let timeoutSeconds: Int?
    let allowsBookmarks: Bool
    let sendsInitialEvents: Bool?

    /// - Throws: 400 for selectors that cannot be read, fields that the kind cannot be selected by, and numbers that are none; 422 for
    ///   combinations that mean nothing.
    init(_ query: Query, _ kind: Kind) throws(APIStatus) {
        labels = try LabelSelector(parsing: query["labelSelector"] ?? "")
        fields = try SelectableFields.selector(query["fieldSelector"] ?? "", kind)
        resourceVersion = try Self.revision(query["resourceVersion"])
        limit = max(0, try query.integer("limit") ?? 0)
        continuation = query["continue"].flatMap { $0.isEmpty ? nil : $0 }
        timeoutSeconds = try query.integer("timeoutSeconds")
        allowsBookmarks = query.flag("allowWatchBookmarks")
        sendsInitialEvents = query["sendInitialEvents"] == nil ? nil : query.flag("sendInitialEvents")
        let text = query["resourceVersionMatch"] ?? ""
        match = Match(rawValue: text)
        var causes: [APIStatus.Cause] = []
        if !text.isEmpty, match == nil { causes.append(.notSupported("resourceVersionMatch", .string(text), ["Exact", "NotOlderThan"])) }
        causes += query.flag("watch") ? watchProblems(matchText: text) : listProblems(matchText: text)
        if !causes.isEmpty { throw .invalid(kind: "ListOptions", group: "meta.k8s.io", name: "", causes: causes) }
    }

    private static func revision(_ text: String?) throws(APIStatus) -> Int64? {
        guard let text, !text.isEmpty else { return nil }
        guard let revision = Int64(text), revision >= 0 else {
            throw .badRequest("Invalid resource version: expected a number that this server gave out, found \(JSON.quoted(text))")
        }
        return revision
    }

    private func listProblems(matchText: String) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        if sendsInitialEvents != nil { causes.append(.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")) }
        if match != nil {
            if resourceVersion == nil {
                causes.append(.forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"))
            }
            if continuation != nil { causes.append(.forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided")) }
            if match == .exact, resourceVersion == 0 {
                causes.append(.forbidden("resourceVersionMatch", "resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\""))
            }
        }
        return causes
    }

    private func watchProblems(matchText: String) -> [APIStatus.Cause] {
        guard sendsInitialEvents != nil else {
            return match == nil ? [] : [.forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")]
        }
        if match != .notOlderThan {
            return [.forbidden("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")]
        }
        return []
    }

    /// Whether an object is wanted.
    func selects(_ object: JSON) -> Bool { labels.matches(object: object) && fields.matches(object) }

    var selectsAll: Bool { labels.isEmpty && fields.isEmpty }
}

/// The fields that objects of a kind may be selected by (pkg/apis/*/v1/conversion.go).
enum SelectableFields {
    private static let everywhere: Set<String> = ["metadata.name", "metadata.namespace"]
    private static let byResource: [String: Set<String>] = [
        "pods": [
            "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork", "status.phase",
            "status.podIP", "status.podIPs", "status.nominatedNodeName",
        ],
        "events": [
            "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid", "involvedObject.apiVersion",
            "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type",
        ],
        "namespaces": ["status.phase"], "nodes": ["spec.unschedulable"], "secrets": ["type"],
        "services": ["spec.clusterIP", "spec.type"], "jobs.batch": ["status.successful"], "replicationcontrollers": ["status.replicas"],
        "certificatesigningrequests.certificates.k8s.io": ["spec.signerName"],
    ]

    /// - Throws: 400 for a field that the kind cannot be selected by.
    static func selector(_ text: String, _ kind: Kind) throws(APIStatus) -> FieldSelector {
        var selector = try FieldSelector(parsing: text)
        let isEvent = EventSpelling.isOther(kind)
        let own = (byResource[isEvent ? "events" : kind.resource.description] ?? []).union(kind.selectableFields)
        for index in selector.terms.indices {
            if isEvent { selector.terms[index].field = EventSpelling.coreField(selector.terms[index].field) }
            let field = selector.terms[index].field
            guard everywhere.contains(field) || own.contains(field) else { throw .badRequest("field label not supported: \(field)") }
            if kind.plural == "events", field == "source" { selector.terms[index].field = "source.component" }
            // An absent flag is a false one.
            let isFlag = ["spec.unschedulable", "spec.hostNetwork"].contains(field)
            if isFlag, selector.terms[index].value == "false" {
                selector.terms[index].value = "true"
                selector.terms[index].isNegated.toggle()
            }
        }
        return selector
    }
}
