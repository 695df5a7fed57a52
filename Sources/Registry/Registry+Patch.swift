import Catalogue
public import KubeModel

/// The kinds of patch that the API takes, by their content types.
public enum PatchType: Sendable, Equatable {
    /// `application/json-patch+json`
    case json
    /// `application/merge-patch+json`
    case merge
    /// `application/strategic-merge-patch+json`
    case strategic
    /// `application/apply-patch+yaml`: server-side apply.
    case apply(force: Bool)
}

extension Registry {
    /// Patches an object or one of its subresources; server-side apply creates what is not there.
    /// - Throws: as `update`; 415 for a strategic patch of a custom kind, as upstream.
    public func patch(
        _ kind: Kind, namespace: String, name: String, _ patch: JSON, type: PatchType, subresource: String?, _ options: WriteOptions
    ) async throws -> (result: WriteResult, isNew: Bool) {
        let key = ObjectKey(kind.resource, namespace: namespace, name: name)
        if case .apply(let force) = type {
            return try await apply(kind, key, patch, force: force, subresource: subresource, options)
        }
        if type == .strategic, kind.isCustom {
            throw APIStatus(
                code: 415, reason: "UnsupportedMediaType",
                message: "the body of the request was in an unknown format - accepted media types include: "
                    + "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml")
        }
        var warnings: [String] = []
        let asked = options.spelling?.kind ?? kind
        let result = try await replace(kind, key, subresource: subresource, options) { old in
            var patched = try Self.patched(options.spelling?.shown(old.value) ?? old.value, with: patch, type, asked)
            if let wanted = patched["metadata"]["resourceVersion"].stringValue, wanted != String(old.revision) {
                throw APIStatus.conflict(kind.plural, group: kind.group, name: name)
            }
            let own = patched["metadata"]["name"].stringValue ?? ""
            if own != name { throw APIStatus.badRequest("the name of the object (\(own)) does not match the name on the URL (\(name))") }
            try Self.checkPlace(of: patched, kind, namespace: namespace)
            do throws(APIStatus) { warnings = try decode(patched, asked, options) } catch {
                throw type == .strategic ? StrategicPatchProblem.of(error, patch: patch) : error
            }
            guard let spelling = options.spelling else {
                return Replacement(object: patched, intent: Intent.of(patch: patch, type, patched: patched, over: old, kind))
            }
            // The patch is in the other spelling: what it made says what is meant.
            patched = spelling.stored(patched)
            return Replacement(object: patched, intent: Intent.of(patch: [], .json, patched: patched, over: old, kind))
        }
        return (WriteResult(object: result.object, warnings: warnings + result.warnings), false)
    }

    private static func patched(_ value: JSON, with patch: JSON, _ type: PatchType, _ kind: Kind) throws(APIStatus) -> JSON {
        switch type {
        case .json: return try JSONPatch.apply(patch, to: value)
        case .strategic: return try StrategicMergePatch.apply(patch, to: value, schema: kind.schema)
        case .merge, .apply:
            guard case .object = patch else { throw .badRequest("expected a merge patch to be an object, found \(patch.typeName)") }
            return MergePatch.apply(patch, to: value)
        }
    }

    // MARK: Server-side apply

    private func apply(
        _ kind: Kind, _ key: ObjectKey, _ applied: JSON, force: Bool, subresource: String?, _ options: WriteOptions
    ) async throws -> (result: WriteResult, isNew: Bool) {
        guard !options.manager.isEmpty else {
            throw APIStatus.badRequest("PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch")
        }
        let warnings = try decode(applied, options.spelling?.kind ?? kind, options)
        let applied = options.spelling?.stored(applied) ?? applied
        var options = options
        options.spelling = nil
        if applied["metadata"].has("managedFields"), !applied["metadata"]["managedFields"].elements.isEmpty {
            throw APIStatus.badRequest("metadata.managedFields must be nil")
        }
        let isThere = catalogue.get(key) != nil
        if !isThere, subresource != nil { throw APIStatus.notFound(kind.plural, group: kind.group, name: key.name) }
        try Self.checkName(of: applied, key.name)
        try Self.checkPlace(of: applied, kind, namespace: key.namespace)
        guard isThere else {
            return try await createByApply(kind, key, applied, options, warnings)
        }
        var comparable = applied
        if !kind.isCustom { kind.schema.canonicalizeQuantities(&comparable) }
        let result = try await replace(kind, key, subresource: subresource, options) { [comparable, options] old in
            let outcome = try ServerSideApply.applyAfterClientSide(
                live: current(old.value, kind), applied: comparable, schema: kind.schema, manager: options.manager, apiVersion: kind.apiVersion, force: force,
                time: now, subresource: subresource ?? "", ignoring: Self.ignoredFields(kind, subresource))
            if !outcome.conflicts.isEmpty { throw APIStatus.applyConflict(outcome.conflicts) }
            let merged = outcome.object
            let meant = Intent.of(applied: applied, merged: merged, over: old, kind)
            return Replacement(object: merged, intent: meant, hasManagedFields: true)
        }
        return (WriteResult(object: result.object, warnings: warnings + result.warnings), false)
    }

    private func createByApply(
        _ kind: Kind, _ key: ObjectKey, _ applied: JSON, _ options: WriteOptions, _ warnings: [String]
    ) async throws -> (result: WriteResult, isNew: Bool) {
        var object = applied
        if object["metadata"]["name"].isNull { object["metadata"]["name"] = .string(key.name) }
        var options = options
        options.isApply = true
        let result = try await create(kind, namespace: key.namespace, object, options)
        return (WriteResult(object: result.object, warnings: warnings + result.warnings), true)
    }
}
