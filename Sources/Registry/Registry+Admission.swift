import Catalogue
public import KubeModel

extension Registry {
    /// Says how webhooks are reached; without it none is called.
    public func callWebhooks(through transport: any WebhookTransport) { hooks.connect(transport) }

    /// Says who answers expressions that ask what somebody may do; without it there is no `authorizer`.
    public func decideAccess(by decider: @escaping AccessDecider) { hooks.decide(by: decider) }

    /// One write on its way through webhooks and policies.
    struct Admission {
        let registry: Registry
        let kind: Kind
        let old: JSON?
        let options: WriteOptions
        /// The part of the object that is written; empty for the object itself.
        let subresource: String
        let namespace: String
        /// The name that the server made up and that nobody is told of before it is final.
        let generatedName: String
        private let isSubject: Bool

        init(_ registry: Registry, _ kind: Kind, namespace: String, old: JSON?, subresource: String?, _ options: WriteOptions, generatedName: String = "") {
            self.registry = registry
            self.kind = kind
            self.old = old
            self.options = options
            self.subresource = options.view?.subresource ?? subresource ?? ""
            self.namespace = namespace
            self.generatedName = generatedName
            isSubject = registry.hooks.isWatching && Self.isSubject(kind, namespace: namespace, options)
        }

        /// Book-keeping of the lab's own parts is not at the mercy of a webhook, nor is anything that it makes for itself.
        private static let unasked: Set<GroupResource> = [
            .events, .endpoints, .endpointSlices, .serviceAccounts, .secrets, .configMaps, .controllerRevisions, GroupResource("leases", group: "coordination.k8s.io"),
        ]

        private static func isSubject(_ kind: Kind, namespace: String, _ options: WriteOptions) -> Bool {
            options.origin == .user || (kind.isNamespaced && namespace != "kube-system" && !unasked.contains(kind.resource))
        }

        /// Lets mutating webhooks change the object, which comes in its stored form and goes so.
        /// - Returns: their warnings.
        func mutate(_ object: inout JSON) async throws -> [String] {
            guard isSubject else { return [] }
            if old == nil, kind.isNamespaced { try registry.checkOpen(namespace, for: kind, name: object["metadata"]["name"].stringValue ?? "") }
            var shown = object
            if old == nil { for key in Self.unknownYet { shown["metadata"].remove(key) } }
            if !generatedName.isEmpty { shown["metadata"].remove("name") }
            let request = request(shown)
            let (changed, warnings) = try await registry.hooks.mutate(request, settle: settle(_:))
            if changed == request.object { return warnings }
            if let view = options.view {
                view.absorb(changed, &object)
                return warnings
            }
            var result = changed
            for key in Self.unknownYet where old == nil && object["metadata"].has(key) { result["metadata"][key] = object["metadata"][key] }
            if result["metadata"]["name"].stringValue ?? "" == "" || old != nil { result["metadata"]["name"] = object["metadata"]["name"] }
            if object["metadata"].has("namespace") { result["metadata"]["namespace"] = object["metadata"]["namespace"] }
            if subresource == "status" {
                // Whatever else a webhook changes there is not part of what is written.
                let status = result["status"]
                result = object
                result["status"] = status
                if status.isNull { result.remove("status") }
            }
            object = result
            return warnings
        }

        /// A view of the object is no object of the kind: it has no stored form.
        @Sendable private func settle(_ object: inout JSON) throws {
            if options.view == nil { try registry.settle(&object, old: old, kind, namespace: namespace) }
        }

        /// What the server gives an object after admission has seen it.
        private static let unknownYet = ["uid", "creationTimestamp", "generation"]

        /// Lets policies and validating webhooks look at the object as it would be stored.
        /// - Returns: their warnings.
        func validate(_ object: JSON) async throws -> [String] {
            guard isSubject else { return [] }
            return try await registry.hooks.validate(request(object))
        }

        private func request(_ object: JSON) -> AdmissionRequest {
            var request = registry.admissionRequest(
                old == nil ? .create : .update, kind, namespace: namespace, name: object["metadata"]["name"].stringValue ?? "", subresource: subresource,
                user: options.user ?? .controller(options.manager), isDryRun: options.isDryRun)
            request.object = options.view.map { $0.present(object) } ?? object
            request.oldObject = old.map { old in options.view.map { $0.present(old) } ?? old } ?? .null
            if let view = options.view { (request.target.kindGroup, request.target.kindVersion, request.target.kind) = (view.group, view.version, view.kind) }
            if !options.manager.isEmpty { request.options["fieldManager"] = .string(options.manager) }
            return request
        }
    }

    fileprivate func settle(_ object: inout JSON, old: JSON?, _ kind: Kind, namespace: String) throws {
        if !kind.isCustom, let problem = kind.schema.decodingError(in: object) { throw APIStatus.internalError(problem) }
        try normalize(&object, old: old, kind, namespace: namespace)
    }

    /// Upstream's NamespaceLifecycle stands before all webhooks.
    private func checkOpen(_ namespace: String, for kind: Kind, name: String) throws(APIStatus) {
        guard let found = catalogue.get(ObjectKey(.namespaces, name: namespace)) else { throw .notFound("namespaces", group: "", name: namespace) }
        if found.isBeingDeleted { throw Self.terminating(namespace, kind, name: name) }
    }

    static func terminating(_ namespace: String, _ kind: Kind, name: String) -> APIStatus {
        var status = APIStatus.forbidden(
            kind.plural, group: kind.group, name: name, "unable to create new content in namespace \(namespace) because it is being terminated")
        status.causes = [.init(reason: "NamespaceTerminating", message: "namespace \(namespace) is being terminated", field: "metadata.namespace")]
        return status
    }

    func admissionRequest(
        _ operation: AdmissionRequest.Operation, _ kind: Kind, namespace: String, name: String, subresource: String, user: AdmissionUser, isDryRun: Bool
    ) -> AdmissionRequest {
        let isNamespace = kind.resource == .namespaces
        let documents: [AdmissionRequest.Operation: String] = [.create: "CreateOptions", .update: "UpdateOptions", .delete: "DeleteOptions"]
        var options: JSON = .null
        if let document = documents[operation] { options = ["kind": .string(document), "apiVersion": "meta.k8s.io/v1"] }
        if isDryRun, !options.isNull { options["dryRun"] = ["All"] }
        var request = AdmissionRequest(
            operation: operation, target: .init(kind), subresource: subresource, namespace: isNamespace ? name : namespace, name: name, object: .null,
            oldObject: .null, options: options, isDryRun: isDryRun, user: user)
        if kind.isCustom {
            request.equivalents = kinds.filter { $0.resource == kind.resource && $0.version != kind.version }.map { AdmissionRequest.Target($0) }
        }
        return request
    }

    /// Asks webhooks and policies about the deletion of a stored object.
    func admitDeletion(_ kind: Kind, _ object: StoredObject, user: AdmissionUser, isDryRun: Bool) async throws {
        guard hooks.isWatching else { return }
        var request = admissionRequest(
            .delete, kind, namespace: object.namespace, name: object.name, subresource: "", user: user, isDryRun: isDryRun)
        request.oldObject = object.value
        _ = try await hooks.mutate(request) { _ in }
        _ = try await hooks.validate(request)
    }

    /// Asks webhooks and policies about a request to a subresource that is no write of the object: an eviction, an exec.
    /// - Parameter object: what was sent, with its own apiVersion and kind.
    /// - Returns: warnings.
    public func admit(
        _ operation: AdmissionRequest.Operation, _ kind: Kind, namespace: String, name: String, subresource: String, _ object: JSON, user: AdmissionUser,
        isDryRun: Bool = false
    ) async throws -> [String] {
        guard hooks.isWatching else { return [] }
        var request = admissionRequest(operation, kind, namespace: namespace, name: name, subresource: subresource, user: user, isDryRun: isDryRun)
        let parts = (object["apiVersion"].stringValue ?? "").split(separator: "/").map(String.init)
        (request.target.kindGroup, request.target.kindVersion) = parts.count == 2 ? (parts[0], parts[1]) : ("", parts.first ?? "v1")
        request.target.kind = object["kind"].stringValue ?? ""
        request.object = object
        let (changed, warnings) = try await hooks.mutate(request) { _ in }
        request.object = changed
        return warnings + (try await hooks.validate(request))
    }
}
