import Catalogue
public import KubeModel

extension Registry {
    /// How often a write that lost a race is computed anew before the caller hears of the conflict (upstream: 5).
    static let conflictRetries = 5

    /// Puts an object, or one of its subresources, in the place of what is stored.
    /// - Parameter subresource: `nil`, `status` or `scale`.
    /// - Throws: as `create`, 404 where there is no object and none of this kind comes to be by a PUT, and 409 where the object's
    ///   resourceVersion is not the stored one.
    public func update(
        _ kind: Kind, namespace: String, name: String, _ object: JSON, subresource: String?, _ options: WriteOptions
    ) async throws -> WriteResult {
        let warnings = try decode(object, options.spelling?.kind ?? kind, options)
        let object = options.spelling?.stored(object) ?? object
        return try await warned(warnings) { try await updateDecoded(kind, namespace: namespace, name: name, object, subresource: subresource, options) }
    }

    private func updateDecoded(
        _ kind: Kind, namespace: String, name: String, _ object: JSON, subresource: String?, _ options: WriteOptions
    ) async throws -> WriteResult {
        try Self.checkName(of: object, name)
        try Self.checkPlace(of: object, kind, namespace: namespace)
        let wanted = object["metadata"]["resourceVersion"].stringValue ?? ""
        if wanted.isEmpty, kind.isCustom, options.origin == .user {
            let cause = APIStatus.Cause.invalid("metadata.resourceVersion", 0, "must be specified for an update")
            throw APIStatus.invalid(kind: kind.kind, group: kind.group, name: name, causes: [cause])
        }
        let key = ObjectKey(kind.resource, namespace: namespace, name: name)
        if subresource == nil, let made = try await createByPut(kind, key, object, options) { return made }
        return try await replace(kind, key, subresource: subresource, options) { old in
            if !wanted.isEmpty, wanted != String(old.revision) { throw APIStatus.conflict(kind.plural, group: kind.group, name: name) }
            if let uid = object["metadata"]["uid"].stringValue, !uid.isEmpty, uid != old.uid {
                let problem = "Precondition failed: UID in precondition: \(uid), UID in object meta: \(old.uid)"
                throw APIStatus.conflict(kind.plural, group: kind.group, name: name, problem)
            }
            return Replacement(object: object, intent: Intent.of(put: object, over: old, kind))
        }
    }

    /// Kinds of which a PUT makes an object that is not there (upstream: `AllowCreateOnUpdate` of the strategies).
    private static let madeByPut: Set<GroupResource> = [
        .endpoints, .events, .limitRanges, .services, .leases, .runtimeClasses, .roles, .roleBindings, .clusterRoleBindings,
        GroupResource("clusterroles", group: "rbac.authorization.k8s.io"),
    ]

    /// - Returns: `nil` where there is an object to be replaced, or none may come to be so.
    private func createByPut(_ kind: Kind, _ key: ObjectKey, _ object: JSON, _ options: WriteOptions) async throws -> WriteResult? {
        guard Self.madeByPut.contains(kind.resource), catalogue.get(key) == nil else { return nil }
        if let uid = object["metadata"]["uid"].stringValue, !uid.isEmpty {
            let problem = "Precondition failed: UID in precondition: \(uid), UID in object meta: "
            throw APIStatus.conflict(kind.plural, group: kind.group, name: key.name, problem)
        }
        var new = object
        new["metadata"]["name"] = .string(key.name)
        new["metadata"].remove("resourceVersion")
        var options = options
        options.spelling = nil
        options.fieldValidation = .ignore
        do { return try await create(kind, namespace: key.namespace, new, options) } catch let problem as APIStatus where problem.reason == "AlreadyExists" {
            return nil
        }
    }

    /// What is to stand in the place of a stored object.
    struct Replacement {
        var object: JSON
        /// What the user asks for from now on; `nil` leaves the intent as it is.
        var intent: JSON?
        /// Whether managedFields are already those of the new object (server-side apply).
        var hasManagedFields = false
    }

    /// Reads, computes, checks and stores, and starts anew where somebody else wrote in between. The computation runs
    /// outside the writer, so expensive validation delays nobody.
    func replace(
        _ kind: Kind, _ key: ObjectKey, subresource: String?, _ options: WriteOptions, _ compute: (StoredObject) throws -> Replacement
    ) async throws -> WriteResult {
        for attempt in 0... {
            guard let found = catalogue.get(key) else { throw APIStatus.notFound(kind.plural, group: kind.group, name: key.name) }
            let old = try await shown(found, as: kind)
            var replacement = try compute(old)
            let admission = Admission(
                self, kind, namespace: key.namespace, old: current(old.value, kind), subresource: subresource, options)
            let settled = try await settle(&replacement, over: old, kind, subresource: subresource, options, admission)
            let remarks = remarks(on: replacement.object, old: admission.old, kind, subresource: subresource, options)
            let warnings = settled + remarks + (try await admission.validate(replacement.object))
            // What reading alone has changed is stored with the first write that comes by.
            if kind.conversion != nil || found === old, isSame(replacement.object, old.value), replacement.intent == nil || replacement.intent == old.intent {
                return WriteResult(object: old, warnings: warnings)
            }
            if let stored = try await store(replacement, over: old, kind, options) {
                afterWrite(kind)
                return WriteResult(object: try await shown(stored, as: kind), warnings: warnings)
            }
            if attempt == Self.conflictRetries { break }
        }
        throw APIStatus.conflict(kind.plural, group: kind.group, name: key.name)
    }

    /// Brings the new object into stored form beside the old one and checks it.
    /// - Returns: warnings of webhooks, and about what is wrong but was so before.
    private func settle(
        _ replacement: inout Replacement, over old: StoredObject, _ kind: Kind, subresource: String?, _ options: WriteOptions, _ admission: Admission
    ) async throws -> [String] {
        var object = replacement.object
        if kind.resource == .certificateSigningRequests {
            var kept = CertificateRules.taken(from: object, into: old.value, subresource: subresource, now: now)
            if replacement.hasManagedFields { kept["metadata"]["managedFields"] = object["metadata"]["managedFields"] }
            object = kept
            if subresource != nil { replacement.intent = nil }
        } else if subresource == "status" {
            var kept = old.value
            kept["metadata"] = StatusRules.metadata(from: object["metadata"], over: old.metadata, kind)
            if object.has("status") { kept["status"] = object["status"] } else { kept.remove("status") }
            if replacement.hasManagedFields { kept["metadata"]["managedFields"] = object["metadata"]["managedFields"] }
            object = kept
            replacement.intent = nil
        } else if subresource == EphemeralContainers.subresource {
            var kept = EphemeralContainers.taken(from: object, into: old.value)
            if replacement.hasManagedFields { kept["metadata"]["managedFields"] = object["metadata"]["managedFields"] }
            object = kept
            replacement.intent = nil
        } else if kind.hasStatus {
            if old.value.has("status") { object["status"] = old.value["status"] } else { object.remove("status") }
        }
        // What holds a namespace changes through its subresource `finalize` alone.
        if kind.resource == .namespaces, subresource != "finalize" { object["spec"] = old.value["spec"] }
        var before = current(old.value, kind)
        if !replacement.hasManagedFields {
            let managers = Self.managers(in: object, over: old, subresource: subresource, options)
            object["metadata"].remove("managedFields")
            before["metadata"].remove("managedFields")
            if !managers.isNull {
                object["metadata"]["managedFields"] = managers
                before["metadata"]["managedFields"] = managers
            }
        }
        let causes = ObjectMeta.changeCauses(object["metadata"], old: old.metadata)
        if !causes.isEmpty { throw APIStatus.invalid(kind: kind.kind, group: kind.group, name: old.name, causes: causes) }
        try normalize(&object, old: before, kind, namespace: old.namespace)
        // What webhooks add belongs to no manager.
        var owned = object
        var warnings = try await admission.mutate(&object)
        ObjectMeta.prepareUpdate(&object, old: before, kind)
        ObjectMeta.prepareUpdate(&owned, old: before, kind)
        warnings += try validate(object, old: before, kind, namespace: old.namespace)
        if kind.resource == .pods, subresource != "status" {
            let causes = EphemeralContainers.validate(object, old: before, subresource: subresource)
            if !causes.isEmpty { throw APIStatus.invalid(kind: kind.kind, group: kind.group, name: old.name, causes: causes) }
        }
        if kind.resource == .certificateSigningRequests {
            let causes = CertificateRules.changes(object, old: before, subresource: subresource)
            if !causes.isEmpty { throw APIStatus.invalid(kind: kind.kind, group: kind.group, name: old.name, causes: causes) }
        }
        try options.review?(object, before)
        if !replacement.hasManagedFields, !isSame(object, before) {
            recordManager(&owned, old: before, kind, subresource: subresource, options)
            if owned["metadata"].has("managedFields") { object["metadata"]["managedFields"] = owned["metadata"]["managedFields"] }
        }
        keepNulls(of: before, in: &object, kind)
        replacement.object = object
        if kind.resource == .secrets, let intent = replacement.intent {
            replacement.intent = Intent.settled(ofSecret: intent, before: old.intent, data: object["data"])
        }
        return warnings
    }

    /// A status that nobody changed stays as it was to the last null: Go's types write them, and a diff would show that they went.
    private func keepNulls(of before: JSON, in object: inout JSON, _ kind: Kind) {
        guard kind.hasStatus, !kind.isCustom, before["status"] != object["status"] else { return }
        var plain: JSON = ["status": before["status"]]
        kind.schema.dropNulls(&plain)
        if plain["status"] == object["status"] { object["status"] = before["status"] }
    }

    /// The managers that a write starts from: those that it sends, where a user changes them (kubectl does so when it goes
    /// over to server-side apply), else those that are stored (upstream: managedfields/internal/fieldmanager.go, decodeLiveOrNew).
    private static func managers(in object: JSON, over old: StoredObject, subresource: String?, _ options: WriteOptions) -> JSON {
        let (sent, stored) = (object["metadata"]["managedFields"], old.metadata["managedFields"])
        guard options.origin == .user, subresource == nil, sent != stored else { return stored }
        // One empty entry is the way to say that there should be none.
        if sent.elements == [[:]] { return .null }
        let read = ManagedFields(json: sent)
        return read.entries.isEmpty ? stored : read.json
    }

    /// Equal but for the resourceVersion and the times of managers: such a write is none. A manager that sets what is
    /// there already becomes an owner of it, which is a change.
    private func isSame(_ left: JSON, _ right: JSON) -> Bool {
        func content(_ object: JSON) -> JSON {
            var object = object
            object.remove(path: ["metadata", "resourceVersion"])
            object.remove(path: ["metadata", "managedFields"])
            return object
        }
        func managers(_ object: JSON) -> Set<JSON> {
            Set(object["metadata"]["managedFields"].elements.map { entry in
                var entry = entry
                entry.remove("time")
                return entry
            })
        }
        guard content(left) == content(right) else { return false }
        return left["metadata"]["managedFields"] == right["metadata"]["managedFields"] || managers(left) == managers(right)
    }

    /// Stores the replacement if the object is still as it was read; `nil` where it is not.
    private func store(_ replacement: Replacement, over old: StoredObject, _ kind: Kind, _ options: WriteOptions) async throws -> StoredObject? {
        let new = try await storedForm(replacement.object, of: kind)
        let intent = options.origin == .user ? replacement.intent ?? old.intent : old.intent
        let hasQuotas = kind.isNamespaced && catalogue.count(.resourceQuotas) > 0
        return try await catalogue.write { transaction -> StoredObject? in
            guard let current = transaction.get(old.key), current.revision == old.revision else { return nil }
            var object = new
            if old.key.resource == .services { try ServiceAllocation.allocate(&object, in: transaction) }
            if hasQuotas { try QuotaAdmission.charge(object, old: current.value, kind, namespace: old.namespace, in: transaction) }
            let stored = transaction.put(old.key, object, intent: intent)
            if options.isDryRun { throw DryRun(object: stored) }
            return Deletion.finish(stored, in: transaction)
        } dryRun: { $0 }
    }

    /// Changes an object inside the writer, for the lab's own controllers: no conflict is possible.
    func mutate(_ key: ObjectKey, uid: String?, _ change: @escaping @Sendable (inout JSON) throws -> Void) async throws -> StoredObject? {
        // Most changes turn out to change nothing: find that out without waiting for the writer.
        guard let snapshot = catalogue.get(key), uid == nil || uid == snapshot.uid else { return nil }
        var tried = snapshot.value
        try change(&tried)
        if tried == snapshot.value { return snapshot }
        let kind = kind(key.resource)
        let stored = try await catalogue.write { transaction -> StoredObject? in
            guard let old = transaction.get(key), uid == nil || uid == old.uid else { return nil }
            var object = old.value
            try change(&object)
            if object == old.value { return old }
            if let kind { ObjectMeta.prepareUpdate(&object, old: old.value, kind) }
            return Deletion.finish(transaction.put(key, object, intent: old.intent), in: transaction)
        }
        if let kind { afterWrite(kind) }
        return stored
    }
}
