import KubeModel
import NIOHTTP1
import Registry

/// The query parameters that all writes share.
enum WriteParameters {
    static func options(_ request: Request, duplicates: [String] = []) throws(APIStatus) -> WriteOptions {
        var options = WriteOptions(
            manager: try manager(request), origin: .user, fieldValidation: try fieldValidation(request),
            isDryRun: try isDryRun(request.query.values("dryRun"), kind(request)), duplicateFields: duplicates)
        options.user = request.user.asAdmissionUser
        return options
    }

    /// The name under which fields are owned: what the client says, else the program's name from its User-Agent.
    private static func manager(_ request: Request) throws(APIStatus) -> String {
        if let manager = request.query["fieldManager"], !manager.isEmpty {
            guard manager.utf8.count <= 128, manager.unicodeScalars.allSatisfy({ !$0.properties.generalCategory.isControl }) else {
                let cause = APIStatus.Cause.invalid("fieldManager", .string(manager), "must be at most 128 printable characters")
                throw .invalid(kind: kind(request), group: "meta.k8s.io", name: "", causes: [cause])
            }
            return manager
        }
        let agent = request.headers.first(name: "user-agent") ?? ""
        let program = agent.prefix { $0 != "/" }.unicodeScalars.filter { !$0.properties.generalCategory.isControl }.prefix(128)
        return program.isEmpty ? "unknown" : String(String.UnicodeScalarView(program))
    }

    /// The kind of a write's options, which problems with them name.
    private static func kind(_ request: Request) -> String {
        switch request.method {
        case .PUT: "UpdateOptions"
        case .PATCH: "PatchOptions"
        default: "CreateOptions"
        }
    }

    private static func fieldValidation(_ request: Request) throws(APIStatus) -> WriteOptions.FieldValidation {
        guard let text = request.query["fieldValidation"], !text.isEmpty else { return .warn }
        guard let validation = WriteOptions.FieldValidation(rawValue: text) else {
            let cause = APIStatus.Cause.notSupported("fieldValidation", .string(text), ["Ignore", "Strict", "Warn"])
            throw .invalid(kind: kind(request), group: "meta.k8s.io", name: "", causes: [cause])
        }
        return validation
    }

    static func isDryRun(_ values: [String], _ kind: String = "CreateOptions") throws(APIStatus) -> Bool {
        let values = values.filter { !$0.isEmpty }
        if let odd = values.first(where: { $0 != "All" }) {
            let cause = APIStatus.Cause.notSupported("dryRun", .string(odd), ["All"])
            throw .invalid(kind: kind, group: "meta.k8s.io", name: "", causes: [cause])
        }
        return !values.isEmpty
    }

    /// `metav1.DeleteOptions` of the body, else of the query.
    ///
    /// Jobs and ReplicationControllers leave their pods where the request says nothing (upstream: DefaultGarbageCollectionPolicy of their
    /// strategies).
    /// - Returns: with what a user who may not expect that should be told.
    static func deleteOptions(_ request: Request, of kind: Kind) throws(APIStatus) -> (options: DeleteOptions, warnings: [String]) {
        var options = try deleteOptions(request)
        guard options.propagation == nil, [.jobs, .replicationControllers].contains(kind.resource) else { return (options, []) }
        options.defaultPropagation = .orphan
        return (options, kind.resource == .jobs ? [keepsPods] : [])
    }

    private static let keepsPods =
        "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan "
        + "to suppress this warning"

    static func deleteOptions(_ request: Request) throws(APIStatus) -> DeleteOptions {
        let body = request.body.readableBytes > 0 ? try RequestBody.object(request).value : .null
        if let kind = body["kind"].stringValue, !kind.isEmpty, kind != "DeleteOptions" {
            throw .badRequest("expected DeleteOptions in the body, found \(kind)")
        }
        if !body.isNull, body.objectValue == nil { throw .badRequest("expected DeleteOptions in the body, found \(body.typeName)") }
        let query = request.query
        var policy = body["propagationPolicy"].stringValue ?? query["propagationPolicy"]
        let orphan = body["orphanDependents"].boolValue ?? (query["orphanDependents"] == nil ? nil : query.flag("orphanDependents"))
        if let policy, !policy.isEmpty, orphan != nil {
            let cause = APIStatus.Cause.invalid("propagationPolicy", .string(policy), "orphanDependents and deletionPropagation cannot be both set")
            throw .invalid(kind: "DeleteOptions", group: "meta.k8s.io", name: "", causes: [cause])
        }
        if policy == nil, let orphan { policy = orphan ? "Orphan" : "Background" }
        let propagation = policy.flatMap { $0.isEmpty ? nil : DeletionPropagation(rawValue: $0) }
        if let policy, !policy.isEmpty, propagation == nil {
            let cause = APIStatus.Cause.notSupported("propagationPolicy", .string(policy), ["Foreground", "Background", "Orphan"])
            throw .invalid(kind: "DeleteOptions", group: "meta.k8s.io", name: "", causes: [cause])
        }
        let grace: Int? = if body.has("gracePeriodSeconds") { body["gracePeriodSeconds"].intValue } else { try query.integer("gracePeriodSeconds") }
        let dryRun = body["dryRun"].elements.compactMap(\.stringValue) + query.values("dryRun")
        var options = DeleteOptions(
            propagation: propagation, gracePeriodSeconds: grace, preconditionUID: body["preconditions"]["uid"].stringValue,
            preconditionResourceVersion: body["preconditions"]["resourceVersion"].stringValue, isDryRun: try isDryRun(dryRun, "DeleteOptions"))
        options.user = request.user.asAdmissionUser
        return options
    }
}

extension User {
    /// As webhooks and policies are told of the user.
    var asAdmissionUser: AdmissionUser { AdmissionUser(name: name, uid: uid, groups: groups, extra: extra) }
}

extension Unicode.GeneralCategory {
    var isControl: Bool { self == .control || self == .lineSeparator || self == .paragraphSeparator }
}
