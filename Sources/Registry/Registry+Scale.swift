import Catalogue
public import KubeModel

extension Registry {
    /// Changes how many replicas an object wants, by its Scale.
    /// - Parameters:
    ///   - body: a Scale, or a patch of one.
    ///   - type: the kind of patch; `nil` for a whole Scale.
    /// - Throws: as `update` and `patch`, with errors about the Scale.
    public func scale(
        _ kind: Kind, namespace: String, name: String, _ body: JSON, type: PatchType?, _ options: WriteOptions
    ) async throws -> WriteResult {
        var options = options
        options.view = Scale.view(kind)
        let key = ObjectKey(kind.resource, namespace: namespace, name: name)
        return try await replace(kind, key, subresource: "scale", options) { [options] old in
            var managers: JSON?
            let wanted = try scaled(Scale.of(old.value, kind), old, kind, body, type, options, &managers)
            let replicas = try Self.replicas(wanted, old, kind)
            let patch = Scale.patch(replicas, kind)
            var object = MergePatch.apply(patch, to: old.value)
            if let managers { object["metadata"]["managedFields"] = managers }
            return Replacement(
                object: object, intent: Intent.of(patch: patch, .merge, patched: object, over: old, kind), hasManagedFields: managers != nil)
        }
    }

    /// The Scale after the change.
    /// - Parameter managers: the object's managedFields where the change says who owns the number.
    private func scaled(
        _ scale: JSON, _ old: StoredObject, _ kind: Kind, _ body: JSON, _ type: PatchType?, _ options: WriteOptions, _ managers: inout JSON?
    ) throws -> JSON {
        switch type {
        case nil: return body
        case .json: return try JSONPatch.apply(body, to: scale)
        case .merge, .strategic: return MergePatch.apply(body, to: scale)
        case .apply(let force):
            try Self.checkType(body)
            let ownership = ScaleOwnership(old.metadata["managedFields"], kind)
            var live = scale
            live["metadata"]["managedFields"] = ownership.ofScale
            let outcome = try ServerSideApply.apply(
                live: live, applied: body, schema: library.definition("io.k8s.api.autoscaling.v1.Scale"), manager: options.manager,
                apiVersion: Scale.apiVersion, force: force, time: now, subresource: "scale")
            if !outcome.conflicts.isEmpty { throw APIStatus.applyConflict(outcome.conflicts) }
            managers = ownership.ofObject(after: outcome.managedFields)
            return outcome.object
        }
    }

    private static func checkType(_ scale: JSON) throws(APIStatus) {
        if let found = scale["kind"].stringValue, found != "Scale" { throw .badRequest("expected a Scale in the body, found \(found)") }
        if let found = scale["apiVersion"].stringValue, found != Scale.apiVersion {
            throw .badRequest("the API version in the data (\(found)) does not match the expected API version (\(Scale.apiVersion))")
        }
    }

    private static func replicas(_ wanted: JSON, _ old: StoredObject, _ kind: Kind) throws(APIStatus) -> Int {
        try checkType(wanted)
        try checkName(of: wanted, old.name)
        try checkPlace(of: wanted, kind, namespace: old.namespace)
        if let uid = wanted["metadata"]["uid"].stringValue, !uid.isEmpty, uid != old.uid {
            let problem = "Precondition failed: UID in precondition: \(uid), UID in object meta: \(old.uid)"
            throw .conflict(kind.plural, group: kind.group, name: old.name, problem)
        }
        // Whoever names a version means that one.
        if let version = wanted["metadata"]["resourceVersion"].stringValue, !version.isEmpty, version != String(old.revision) {
            throw .conflict(kind.plural, group: kind.group, name: old.name)
        }
        guard let replicas = wanted["spec"]["replicas"].intValue ?? (wanted["spec"].has("replicas") ? nil : 0), replicas >= 0 else {
            let cause = APIStatus.Cause.invalid("spec.replicas", wanted["spec"]["replicas"], "must be greater than or equal to 0")
            throw .invalid(kind: "Scale", group: "autoscaling", name: old.name, causes: [cause])
        }
        return replicas
    }
}
