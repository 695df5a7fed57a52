import Catalogue
public import KubeModel

extension Registry {
    /// Creates an object.
    /// - Parameter namespace: of the request's path; empty for cluster-scoped kinds. The object may leave its own out.
    /// - Throws: `APIStatus` (400 not decodable, 404 no such namespace, 409 exists, 422 invalid) or `CatalogueError`.
    public func create(_ kind: Kind, namespace: String, _ object: JSON, _ options: WriteOptions) async throws -> WriteResult {
        let warnings = try decode(object, options.spelling?.kind ?? kind, options)
        let object = options.spelling?.stored(object) ?? object
        return try await warned(warnings) { try await createDecoded(kind, namespace: namespace, object, options) }
    }

    private func createDecoded(_ kind: Kind, namespace: String, _ object: JSON, _ options: WriteOptions) async throws -> WriteResult {
        if options.origin == .user, !options.isApply, let version = object["metadata"]["resourceVersion"].stringValue, !version.isEmpty, version != "0" {
            throw APIStatus.badRequest("resourceVersion should not be set on objects to be created")
        }
        let namespace = try effectiveNamespace(of: object, kind, requested: namespace)
        var new = object
        ObjectMeta.prepareNew(&new, kind, namespace: namespace, now: now)
        if kind.hasStatus, options.origin == .user { new.remove("status") }
        if kind.resource == .certificateSigningRequests, let user = options.user { CertificateRules.stamp(&new, by: user) }
        let prefix = new["metadata"]["name"].stringValue.map { $0.isEmpty } ?? true ? new["metadata"]["generateName"].stringValue ?? "" : ""
        if !prefix.isEmpty { new["metadata"]["name"] = .string(GenerateName.name(base: prefix)) }
        let meant = new
        try normalize(&new, old: nil, kind, namespace: namespace)
        // What webhooks add belongs to no manager.
        let settled = new
        let admission = Admission(self, kind, namespace: namespace, old: nil, subresource: nil, options, generatedName: prefix.isEmpty ? "" : new["metadata"]["name"].stringValue ?? "")
        var warnings = try await admission.mutate(&new)
        warnings += try validate(new, old: nil, kind, namespace: namespace)
        try options.review?(new, nil)
        warnings += remarks(on: new, old: nil, kind, subresource: nil, options)
        let intent = options.origin == .user ? Intent.of(created: object, kind) : nil
        if options.isApply {
            new["metadata"]["managedFields"] = try ServerSideApply.apply(
                live: nil, applied: Intent.stripped(object), schema: kind.schema, manager: options.manager, apiVersion: kind.apiVersion,
                force: false, time: now
            ).managedFields
        } else {
            var owned = options.origin == .user ? owned(of: meant, settled: settled, kind) : settled
            recordManager(&owned, old: nil, kind, subresource: nil, options)
            if owned["metadata"].has("managedFields") { new["metadata"]["managedFields"] = owned["metadata"]["managedFields"] }
        }
        warnings += try await admission.validate(new)
        let form = try await storedForm(new, of: kind)
        let stored = try await insert(form, kind, namespace: namespace, intent: intent, prefix: prefix, isDryRun: options.isDryRun)
        afterWrite(kind)
        return WriteResult(object: try await shown(stored, as: kind), warnings: warnings, isNew: true)
    }

    private func effectiveNamespace(of object: JSON, _ kind: Kind, requested: String) throws(APIStatus) -> String {
        guard kind.isNamespaced else { return "" }
        let own = object["metadata"]["namespace"].stringValue ?? ""
        let namespace = requested.isEmpty ? own : requested
        if namespace.isEmpty { throw .badRequest("an object of kind \(kind.kind) needs a namespace") }
        try Self.checkPlace(of: object, kind, namespace: namespace)
        return namespace
    }

    /// What an object calls itself must be what its request calls it (upstream: handlers/rest.go checkName). Nothing said is nothing wrong.
    public static func checkName(of object: JSON, _ name: String) throws(APIStatus) {
        guard let own = object["metadata"]["name"].stringValue, !own.isEmpty, own != name else { return }
        throw .badRequest("the name of the object (\(own)) does not match the name on the URL (\(name))")
    }

    /// An object that names another namespace than its request is not moved (upstream: rest.EnsureObjectNamespaceMatchesRequestNamespace).
    public static func checkPlace(of object: JSON, _ kind: Kind, namespace: String) throws(APIStatus) {
        guard kind.isNamespaced, let own = object["metadata"]["namespace"].stringValue, !own.isEmpty, own != namespace else { return }
        throw .badRequest("the namespace of the provided object does not match the namespace sent on the request")
    }

    private func insert(
        _ new: JSON, _ kind: Kind, namespace: String, intent: JSON?, prefix: String, isDryRun: Bool
    ) async throws -> StoredObject {
        let resource = kind.resource
        // Without any quota no write pays for them.
        let hasQuotas = kind.isNamespaced && catalogue.count(.resourceQuotas) > 0
        let isBuiltIn = kind.isCustom && isBuiltIn("\(kind.plural).\(kind.group)")
        return try await catalogue.write { transaction in
            if kind.isNamespaced { try Self.checkNamespace(namespace, for: kind, name: new["metadata"]["name"].stringValue ?? "", transaction) }
            if kind.isCustom, transaction.get(ObjectKey(.customResourceDefinitions, name: "\(kind.plural).\(kind.group)"))?.isBeingDeleted == true, !isBuiltIn {
                throw APIStatus(code: 405, reason: "MethodNotAllowed", message: "create not allowed while custom resource definition is terminating")
            }
            var object = new
            var key = ObjectKey(resource, namespace: namespace, name: new["metadata"]["name"].stringValue ?? "")
            // Upstream tries a made-up name eight times before it gives up.
            for _ in 0..<8 where !prefix.isEmpty && transaction.get(key) != nil {
                key = ObjectKey(resource, namespace: namespace, name: GenerateName.name(base: prefix))
                object["metadata"]["name"] = .string(key.name)
            }
            guard transaction.get(key) == nil else { throw APIStatus.alreadyExists(kind.plural, group: kind.group, name: key.name) }
            if resource == .services { try ServiceAllocation.allocate(&object, in: transaction) }
            if hasQuotas { try QuotaAdmission.charge(object, old: nil, kind, namespace: namespace, in: transaction) }
            let stored = transaction.put(key, object, intent: intent)
            if isDryRun { throw DryRun(object: stored) }
            return stored
        } dryRun: { Self.unnumbered($0) }
    }

    /// What was not stored has no resourceVersion, as upstream's dry runs answer.
    private static func unnumbered(_ object: StoredObject) -> StoredObject {
        var value = object.value
        value["metadata"].remove("resourceVersion")
        return StoredObject(key: object.key, revision: object.revision, value: value, intent: object.intent)
    }

    private static func checkNamespace(_ namespace: String, for kind: Kind, name: String, _ transaction: WriteTransaction) throws(APIStatus) {
        guard let found = transaction.get(ObjectKey(.namespaces, name: namespace)) else {
            throw .notFound("namespaces", group: "", name: namespace)
        }
        if found.isBeingDeleted {
            throw terminating(namespace, kind, name: name)
        }
    }

    /// A write of a CustomResourceDefinition changes which kinds there are.
    func afterWrite(_ kind: Kind) {
        if kind.resource == .customResourceDefinitions { refreshCustomKinds() }
    }

    /// Notes in managedFields who set what. The lab's own controllers are left out: nobody applies over them.
    func recordManager(_ object: inout JSON, old: JSON?, _ kind: Kind, subresource: String?, _ options: WriteOptions) {
        guard options.origin == .user else { return }
        object["metadata"]["managedFields"] = ManagedFields.recordUpdate(
            old: old, new: object, schema: kind.schema, manager: options.manager, apiVersion: kind.apiVersion, time: now,
            subresource: subresource ?? "", ignoring: Self.ignoredFields(kind, subresource))
    }

    /// The main resource cannot set the status, nor the status anything else.
    static func ignoredFields(_ kind: Kind, _ subresource: String?) -> FieldSet {
        guard kind.hasStatus else { return FieldSet() }
        if subresource == "status" { return StatusRules.ignoredFields(kind) }
        return subresource == CertificateRules.approval ? FieldSet(paths: [["spec"]]) : FieldSet(paths: [["status"]])
    }
}

/// Ends a transaction that was only tried: thrown so that nothing is kept, caught to give the object back.
struct DryRun: Error {
    let object: StoredObject
}

extension Catalogue {
    /// A write that may throw `DryRun`: the object it carries is turned into the result.
    func write<T: Sendable>(
        _ body: @escaping @Sendable (WriteTransaction) throws -> T, dryRun: (StoredObject) -> T
    ) async throws -> T {
        do { return try await write(body) } catch let trial as DryRun { return dryRun(trial.object) }
    }
}
