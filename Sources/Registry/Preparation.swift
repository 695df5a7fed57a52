import Catalogue
import KubeModel

/// The steps that every object that comes in passes, whichever verb brought it.
extension Registry {
    /// Checks that an object is of the kind it claims and has no field that the kind does not know, as far as the
    /// request wants that.
    /// - Returns: warnings for the user.
    func decode(_ object: JSON, _ kind: Kind, _ options: WriteOptions) throws(APIStatus) -> [String] {
        guard case .object = object else { throw .badRequest("expected an object of kind \(kind.kind), found \(object.typeName)") }
        try checkType(of: object, kind)
        return try Self.decode(object, kind.schema, kind: kind.kind, version: kind.version, isCustom: kind.isCustom, options)
    }

    /// The same for an object that is never stored, e.g. a review.
    /// - Parameter definition: the name of its schema.
    /// - Returns: warnings for the user.
    public func decode(_ object: JSON, as definition: String, kind: String, version: String, _ options: WriteOptions) throws(APIStatus) -> [String] {
        guard let schema = library.definition(definition) else { throw .internalError("there is no definition \(definition)") }
        return try Self.decode(object, schema, kind: kind, version: version, isCustom: false, options)
    }

    private static func decode(
        _ object: JSON, _ schema: Schema, kind: String, version: String, isCustom: Bool, _ options: WriteOptions
    ) throws(APIStatus) -> [String] {
        let what = "\(kind) in version \"\(version)\" cannot be handled as a \(kind)"
        if !isCustom, let problem = schema.decodingError(in: object) { throw .badRequest("\(what): \(problem)") }
        guard options.fieldValidation != .ignore, options.origin == .user else { return [] }
        let problems =
            options.duplicateFields.map { "duplicate field \"\($0)\"" } + schema.unknownFields(in: object).map(unknownField)
        if problems.isEmpty || options.fieldValidation == .warn { return problems }
        throw .badRequest("\(what): strict decoding error: \(problems.joined(separator: ", "))")
    }

    /// Does the rest of a write whose body deserved a word: its result and its error tell of that too.
    func warned(_ warnings: [String], _ write: () async throws -> WriteResult) async throws -> WriteResult {
        do {
            let result = try await write()
            return WriteResult(object: result.object, warnings: warnings + result.warnings, isNew: result.isNew)
        } catch var problem as APIStatus {
            problem.warnings = warnings + problem.warnings
            throw problem
        }
    }

    private static func unknownField(_ path: String) -> String { path.hasPrefix("unknown field") ? path : "unknown field \"\(path)\"" }

    private func checkType(of object: JSON, _ kind: Kind) throws(APIStatus) {
        if let found = object["kind"].stringValue, found != kind.kind {
            throw .badRequest("the object provided is of kind \(found), the request is for \(kind.kind): use the path of its own kind")
        }
        if let found = object["apiVersion"].stringValue, found != kind.apiVersion {
            throw .badRequest(
                "the API version in the data (\(found)) does not match the expected API version (\(kind.apiVersion))")
        }
    }

    /// Brings an object into the form in which it is stored: no unknown fields, no nulls, all defaults.
    func normalize(_ object: inout JSON, old: JSON?, _ kind: Kind, namespace: String) throws {
        shape(&object, kind)
        for rules in rules(for: kind) {
            try rules.applyDefaults(&object, old, context(namespace: namespace))
            if rules.addsParts, old == nil { kind.schema.applyDefaults(&object, functions: DefaultFunctions.all) }
        }
        fillStatus(&object, kind)
        if kind.resource == .validatingAdmissionPolicies { PolicyTypeCheck.refresh(&object, old: old, kinds: kinds) }
    }

    /// What the schema alone makes of an object.
    private func shape(_ object: inout JSON, _ kind: Kind) {
        object["apiVersion"] = .string(kind.apiVersion)
        object["kind"] = .string(kind.kind)
        kind.schema.prune(&object)
        if kind.isCustom { kind.schema.dropNullsOfCustomResource(&object) } else { kind.schema.dropNulls(&object) }
        // Custom resources are stored as written: their schemas know no quantities upstream.
        if !kind.isCustom { kind.schema.canonicalizeQuantities(&object) }
        kind.schema.applyDefaults(&object, functions: DefaultFunctions.all)
    }

    /// What of a new object is its creator's. A pod's token volume and priority and a claim's class come from admission plugins
    /// upstream, which nobody owns: else kubectl, going over to server-side apply, would take them away.
    func owned(of new: JSON, settled: JSON, _ kind: Kind) -> JSON {
        guard kind.resource == .pods || kind.resource == .persistentVolumeClaims else { return settled }
        var owned = new
        shape(&owned, kind)
        if owned["spec"].has("serviceAccountName") { owned["spec"]["serviceAccount"] = owned["spec"]["serviceAccountName"] }
        return owned
    }

    /// Upstream's types have their status as a struct, which Go always writes, with its numbers: typed clients rely on it.
    private func fillStatus(_ object: inout JSON, _ kind: Kind) {
        guard !kind.isCustom, kind.hasStatus, object["status"].isNull else { return }
        object["status"] = Self.emptyStatus[kind.resource] ?? [:]
    }

    private static let emptyStatus: [GroupResource: JSON] = [
        GroupResource("services"): ["loadBalancer": [:]],
        GroupResource("ingresses", group: "networking.k8s.io"): ["loadBalancer": [:]],
        GroupResource("replicationcontrollers"): ["replicas": 0],
        GroupResource("replicasets", group: "apps"): ["replicas": 0],
        GroupResource("statefulsets", group: "apps"): ["replicas": 0, "availableReplicas": 0],
        GroupResource("daemonsets", group: "apps"): [
            "currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0,
        ],
        GroupResource("poddisruptionbudgets", group: "policy"): [
            "disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0,
        ],
        GroupResource("horizontalpodautoscalers", group: "autoscaling"): ["currentReplicas": 0, "desiredReplicas": 0],
        GroupResource("volumeattachments", group: "storage.k8s.io"): ["attached": false],
    ]

    /// A stored object as this version of the lab would have stored it: what a write is compared with. An object that an
    /// earlier version stored otherwise is not changed by a write that does not mean to. Upstream decodes what it reads
    /// from its store, which does the same.
    func current(_ stored: JSON, _ kind: Kind) -> JSON {
        guard !kind.isCustom else { return stored }
        var value = stored
        kind.schema.canonicalizeQuantities(&value)
        kind.schema.applyDefaults(&value, functions: DefaultFunctions.all)
        fillStatus(&value, kind)
        return value
    }

    /// Finds everything that is wrong with an object in its stored form.
    /// - Returns: warnings about what is wrong but was so before.
    @discardableResult
    func validate(_ object: JSON, old: JSON?, _ kind: Kind, namespace: String) throws(APIStatus) -> [String] {
        // Of built-in kinds the rules find duplicates and name them as upstream does; a schema knows only list keys.
        // Owner references are judged by rules alone, as no schema of upstream's is asked about metadata.
        let shape = kind.schema.validate(object, old: kind.isCustom ? old : nil).filter {
            (kind.isCustom || $0.reason != "FieldValueDuplicate") && !$0.field.hasPrefix("metadata.ownerReferences")
        }
        var causes = ObjectMeta.validate(object["metadata"], kind) + shape
        var warnings: [String] = []
        if kind.isCustom, kind.schema.mayHaveRules {
            if causes.contains(where: { Self.blockingReasons.contains($0.reason) }) {
                causes.append(.invalid("<nil>", .null, Self.rulesNotChecked))
            } else {
                let found = kind.schema.validateRules(object, old: old)
                causes += found.causes
                warnings = found.warnings
            }
        }
        if shape.isEmpty {
            if !kind.isCustom { causes += kind.schema.check(object, old: old, functions: CheckFunctions.all) }
            for rules in rules(for: kind) { causes += rules.validate(object, old, context(namespace: namespace)) }
        }
        if causes.isEmpty { return warnings }
        throw .invalid(kind: kind.kind, group: kind.group, name: object["metadata"]["name"].stringValue ?? "", causes: Self.once(causes))
    }

    /// Two rules may find the same; upstream's are one.
    private static func once(_ causes: [APIStatus.Cause]) -> [APIStatus.Cause] {
        causes.enumerated().filter { index, cause in !causes[..<index].contains(cause) }.map(\.element)
    }

    /// Mistakes after which rules, which count on the schema, are not evaluated (apiextensions' customresource/strategy.go).
    private static let blockingReasons: Set<String> = [
        "FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid",
    ]
    private static let rulesNotChecked =
        "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"
}
