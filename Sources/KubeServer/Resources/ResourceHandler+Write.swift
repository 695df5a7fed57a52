import Catalogue
import KubeModel
import NIOCore
import NIOHTTP1
import Registry

extension ResourceHandler {
    func create(_ target: Target, _ request: Request) async throws -> Response {
        let form = try Representation.negotiate(request.headers)
        let body = try RequestBody.object(request)
        let options = try reviewer.options(request, target, duplicates: body.duplicates)
        let result = try await registry.create(target.stored, namespace: target.namespace ?? "", body.value, options)
        return try answer(result, target.kind, form, request, status: .created)
    }

    func update(_ target: Target, _ name: String, _ request: Request) async throws -> Response {
        let form = try Representation.negotiate(request.headers)
        let body = try RequestBody.object(request)
        let options = try reviewer.options(request, target, duplicates: body.duplicates)
        let result = try await registry.update(
            target.stored, namespace: target.namespace ?? "", name: name, body.value, subresource: target.subresource, options)
        return try answer(result, target.kind, form, request, status: result.isNew ? .created : .ok)
    }

    func patch(_ target: Target, _ name: String, _ request: Request) async throws -> Response {
        let form = try Representation.negotiate(request.headers)
        let (type, body) = try PatchBody.decode(request, target.kind)
        let options = try reviewer.options(request, target, duplicates: body.duplicates)
        let (result, isNew) = try await registry.patch(
            target.stored, namespace: target.namespace ?? "", name: name, body.value, type: type, subresource: target.subresource, options)
        return try answer(result, target.kind, form, request, status: isNew ? .created : .ok)
    }

    private func answer(
        _ result: WriteResult, _ kind: Kind, _ form: Representation, _ request: Request, status: HTTPResponseStatus = .ok
    ) throws(APIStatus) -> Response {
        var response = try present(result.object, kind, form, request, status: status)
        response.warn(result.warnings)
        return response
    }

    // MARK: Deleting

    /// Kinds whose deletion is answered with the object rather than with a Status (upstream: `ReturnDeletedObject`).
    private static let answersWithObject: Set<GroupResource> = [
        .pods, .services, .serviceAccounts, .persistentVolumes, .persistentVolumeClaims, .storageClasses, GroupResource("podtemplates"),
        GroupResource("resourcequotas"),
    ]

    func delete(_ target: Target, _ name: String, _ request: Request) async throws -> Response {
        let form = try Representation.negotiate(request.headers)
        let kind = target.kind
        let (options, warnings) = try WriteParameters.deleteOptions(request, of: kind)
        var response: Response
        switch try await registry.delete(target.stored, namespace: target.namespace ?? "", name: name, options) {
        case .pending(let object): response = try present(try await registry.shown(object, as: kind), kind, form, request)
        case .deleted(let object):
            response = Self.answersWithObject.contains(kind.resource) ? try present(object, kind, form, request) : .json(Self.success(kind, object))
        }
        response.warn(warnings)
        return response
    }

    static func success(_ kind: Kind, _ object: StoredObject) -> JSON {
        var details: JSON = ["name": .string(object.name)]
        if !kind.group.isEmpty { details["group"] = .string(kind.group) }
        details["kind"] = .string(kind.plural)
        details["uid"] = .string(object.uid)
        return ["kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success", "details": details]
    }

    /// Deletes all that a list would give; answers with the list.
    func deleteCollection(_ target: Target, _ request: Request) async throws -> Response {
        let form = try Representation.negotiate(request.headers)
        let (options, warnings) = try WriteParameters.deleteOptions(request, of: target.kind)
        let page = try await select(target, try ListOptions(request.query, target.kind))
        try await withThrowingDiscardingTaskGroup { group in
            for object in page.objects {
                group.addTask {
                    do {
                        _ = try await registry.delete(target.stored, namespace: object.namespace, name: object.name, options)
                    } catch let problem as APIStatus where problem.code == 404 {
                        // Somebody else was faster.
                    }
                }
            }
        }
        let items = try await registry.shown(page.objects, as: target.kind).map { ObjectBytes.value($0, target.kind) }
        var response = encode(
            [
                "kind": .string(target.kind.listKind), "apiVersion": .string(target.kind.apiVersion), "metadata": page.metadata,
                "items": .array(items),
            ], Representation(encoding: form.encoding))
        response.warn(warnings)
        return response
    }

    /// `pods/eviction`: a deletion that respects disruption budgets.
    func evict(_ target: Target, _ name: String, _ request: Request) async throws -> Response {
        let (body, warnings) = try RequestBody.spoken(request, registry, group: "policy", version: "v1", kind: "Eviction")
        if let own = body["metadata"]["name"].stringValue, !own.isEmpty, own != name {
            throw APIStatus.badRequest("name in URL does not match name in Eviction object")
        }
        let wanted = body["deleteOptions"]
        let options = DeleteOptions(
            propagation: wanted["propagationPolicy"].stringValue.flatMap(DeletionPropagation.init(rawValue:)),
            gracePeriodSeconds: wanted["gracePeriodSeconds"].intValue, preconditionUID: wanted["preconditions"]["uid"].stringValue,
            preconditionResourceVersion: wanted["preconditions"]["resourceVersion"].stringValue,
            isDryRun: try WriteParameters.isDryRun(wanted["dryRun"].elements.compactMap(\.stringValue) + request.query.values("dryRun")))
        var eviction = body
        eviction["apiVersion"] = eviction["apiVersion"].isNull ? "policy/v1" : eviction["apiVersion"]
        eviction["kind"] = "Eviction"
        _ = try await registry.admit(
            .create, target.kind, namespace: target.namespace ?? "", name: name, subresource: "eviction", eviction, user: request.user.asAdmissionUser,
            isDryRun: options.isDryRun)
        _ = try await registry.evict(namespace: target.namespace ?? "", name: name, options)
        var response = Response.json(["kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success"], status: .created)
        response.warn(warnings)
        return response
    }
}

/// The body of a PATCH, whose Content-Type says what kind of patch it is.
enum PatchBody {
    static let json = "application/json-patch+json"
    static let merge = "application/merge-patch+json"
    static let strategic = "application/strategic-merge-patch+json"
    static let apply = "application/apply-patch+yaml"

    /// - Throws: 415 for other types, and for strategic merge patches of custom kinds, which have no merge keys.
    static func decode(_ request: Request, _ kind: Kind) throws(APIStatus) -> (PatchType, RequestBody.Decoded) {
        let name = MediaType.content(request.headers)?.name ?? ""
        let isForced = request.query["force"] == nil ? nil : request.query.flag("force")
        if name != apply, isForced != nil {
            throw options([.forbidden("force", "may not be specified for non-apply patch")])
        }
        switch name {
        case json: return (.json, try RequestBody.json(request.body))
        case merge: return (.merge, try RequestBody.json(request.body))
        case strategic where !kind.isCustom: return (.strategic, try RequestBody.json(request.body))
        case apply:
            guard !(request.query["fieldManager"] ?? "").isEmpty else { throw options([.required("fieldManager", "is required for apply patch")]) }
            return (.apply(force: isForced ?? false), try RequestBody.yaml(request.body))
        default: throw RequestBody.unsupported(name, kind.isCustom ? [json, merge, apply] : [json, merge, strategic, apply])
        }
    }

    private static func options(_ causes: [APIStatus.Cause]) -> APIStatus {
        .invalid(kind: "PatchOptions", group: "meta.k8s.io", name: "", causes: causes)
    }
}
