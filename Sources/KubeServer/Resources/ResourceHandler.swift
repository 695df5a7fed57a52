import Catalogue
import KubeModel
import Logging
import NIOCore
import NIOHTTP1
import Registry

/// What one request to objects is about, after its path has been understood.
struct Target: Sendable {
    /// The kind that the request names.
    let kind: Kind
    /// The kind as which its objects are stored; another one only for events.
    let stored: Kind
    /// `nil` looks over all namespaces.
    let namespace: String?
    let name: String?
    let subresource: String?

    /// The key of the named object.
    func key(_ name: String) -> ObjectKey { ObjectKey(stored.resource, namespace: namespace ?? "", name: name) }

    /// How the kind's spelling becomes that in which objects are stored; `nil` where it is that.
    var spelling: KindSpelling? {
        if AutoscalerSpelling.isOther(kind) { return KindSpelling(kind: kind, shown: AutoscalerSpelling.old, stored: AutoscalerSpelling.new) }
        return EventSpelling.isOther(kind) ? KindSpelling(kind: kind, shown: EventSpelling.new, stored: EventSpelling.core) : nil
    }
}

/// Answers requests to objects: reads from the catalogue, writes through the registry.
struct ResourceHandler: Sendable {
    let registry: Registry
    let pages: PageStore
    let logs: (any PodLogs)?
    let streams: (any PodStreams)?
    let clock: @Sendable () -> Timestamp
    let logger: Logger
    /// How often a watch is told how far it has come.
    let bookmarkInterval: Duration
    /// What somebody may write depends on who it is.
    let reviewer: WriteReviewer

    var catalogue: Catalogue { registry.catalogue }

    func respond(_ path: ResourcePath, _ request: Request, _ user: User) async throws -> Response {
        guard let kind = registry.kind(group: path.group, version: path.version, plural: path.plural),
            kind.isNamespaced || path.namespace == nil
        else { throw Router.notFound(path) }
        let stored = storedKind(of: kind)
        let target = Target(kind: kind, stored: stored, namespace: path.namespace, name: path.name, subresource: path.subresource)
        guard let warning = kind.deprecationWarning else { return try await respond(target, path, request) }
        do {
            var response = try await respond(target, path, request)
            response.warn([warning])
            return response
        } catch var problem as APIStatus {
            problem.warnings.insert(warning, at: 0)
            throw problem
        }
    }

    private func respond(_ target: Target, _ path: ResourcePath, _ request: Request) async throws -> Response {
        let kind = target.kind
        // Only looking is possible over all namespaces at once.
        if kind.isNamespaced, path.namespace == nil, path.name != nil || request.method != .GET { throw APIStatus.methodNotAllowed(request.method.rawValue) }
        // Some kinds can only be looked at.
        if path.subresource == nil, !kind.verbs.contains(Self.verb(of: request.method, path, isWatch: request.query.flag("watch"))) {
            throw APIStatus.methodNotAllowed(request.method.rawValue)
        }
        if path.watches {
            guard request.method == .GET, path.subresource == nil else { throw APIStatus.methodNotAllowed(request.method.rawValue) }
            return try watch(target, request, name: path.name)
        }
        guard let name = path.name else { return try await collection(target, request) }
        if let subresource = path.subresource {
            guard kind.subresources.contains(subresource) else { throw Router.notFound(path) }
            return try await self.subresource(target, name, subresource, request)
        }
        switch request.method {
        case .GET, .HEAD:
            if request.query.flag("watch") { return try watch(target, request, name: name) }
            return try await get(target, name, request)
        case .PUT: return try await update(target, name, request)
        case .PATCH: return try await patch(target, name, request)
        case .DELETE: return try await delete(target, name, request)
        default: throw APIStatus.methodNotAllowed(request.method.rawValue)
        }
    }

    /// The kind as which the objects of a kind are stored.
    private func storedKind(of kind: Kind) -> Kind {
        if EventSpelling.isOther(kind) { return registry.kind(group: "", version: "v1", plural: kind.plural) ?? kind }
        if AutoscalerSpelling.isOther(kind) { return registry.kind(group: kind.group, version: "v2", plural: kind.plural) ?? kind }
        return kind
    }

    private func collection(_ target: Target, _ request: Request) async throws -> Response {
        // What is only created and never stored.
        if target.kind.resource == .bindings { return try await bind(target, nil, request) }
        switch request.method {
        case .GET, .HEAD: return request.query.flag("watch") ? try watch(target, request, name: nil) : try await list(target, request)
        case .POST: return try await create(target, request)
        case .DELETE: return try await deleteCollection(target, request)
        default: throw APIStatus.methodNotAllowed(request.method.rawValue)
        }
    }

    private func subresource(_ target: Target, _ name: String, _ subresource: String, _ request: Request) async throws -> Response {
        if let options = Self.connectOptions[subresource] { try await admitConnection(target, name, subresource, options, request) }
        switch (subresource, request.method) {
        case ("log", .GET): return try await log(target, name, request)
        case ("exec", .GET), ("exec", .POST): return try await remoteCommand(target, name, request, attaches: false)
        case ("attach", .GET), ("attach", .POST): return try await remoteCommand(target, name, request, attaches: true)
        case ("portforward", .GET), ("portforward", .POST): return try await portForward(target, name, request)
        case ("proxy", _): return try await proxy(target, name, request)
        case ("scale", .GET): return try await scale(target, name, request)
        case ("scale", .PUT), ("scale", .PATCH): return try await setScale(target, name, request)
        case ("binding", .POST): return try await bind(target, name, request)
        case ("eviction", .POST): return try await evict(target, name, request)
        case ("status", .GET), ("ephemeralcontainers", .GET), ("approval", .GET): return try await get(target, name, request)
        case ("status", .PUT), ("finalize", .PUT), ("ephemeralcontainers", .PUT), ("approval", .PUT): return try await update(target, name, request)
        case ("status", .PATCH), ("ephemeralcontainers", .PATCH), ("approval", .PATCH): return try await patch(target, name, request)
        case let (other, _) where ServedResource.servedSubresources.contains(other): throw APIStatus.methodNotAllowed(request.method.rawValue)
        default: throw Router.notFound
        }
    }

    /// The API's verb for a request, e.g. `list`.
    static func verb(of method: HTTPMethod, _ path: ResourcePath, isWatch: Bool) -> String {
        switch method {
        case .GET, .HEAD: path.watches ? "watch" : path.name != nil ? "get" : isWatch ? "watch" : "list"
        case .POST: "create"
        case .PUT: "update"
        case .PATCH: "patch"
        case .DELETE: path.name == nil ? "deletecollection" : "delete"
        default: method.rawValue.lowercased()
        }
    }

    // MARK: Presenting objects

    /// One object in the form that the client wants.
    func present(
        _ object: StoredObject, _ kind: Kind, _ form: Representation, _ request: Request, status: HTTPResponseStatus = .ok
    ) throws(APIStatus) -> Response {
        switch form.form {
        case .object:
            if form.encoding == .json { return Response(status: status, type: MediaType.json, bytes: ObjectBytes.buffer(object, kind)) }
            return encode(ObjectBytes.value(object, kind), form, status)
        case .metadata: return encode(PartialMetadata.object(object, version: form.metaVersion), form, status)
        case .table:
            let table = try tableBuilder(kind, form, request)
            return encode(table.table(of: [object], metadata: ["resourceVersion": .string(String(object.revision))]), form, status)
        }
    }

    func tableBuilder(_ kind: Kind, _ form: Representation, _ request: Request) throws(APIStatus) -> TableBuilder {
        TableBuilder(kind: kind, version: form.metaVersion, include: try TableBuilder.included(request), now: clock())
    }

    func encode(_ value: JSON, _ form: Representation, _ status: HTTPResponseStatus = .ok) -> Response {
        switch form.encoding {
        case .json: .json(value, status: status)
        case .yaml: Response(status: status, type: MediaType.yaml, bytes: ByteBuffer(string: YAML.dump(value)))
        }
    }
}

/// Stored objects as bytes and values in the version of the request.
enum ObjectBytes {
    /// A whole body: with a newline at its end, as Go's encoder writes it and tests of clients expect it.
    static func buffer(_ object: StoredObject, _ kind: Kind) -> ByteBuffer {
        var buffer = ByteBuffer()
        write(object, kind, into: &buffer)
        buffer.writeInteger(UInt8(ascii: "\n"))
        return buffer
    }

    /// Appends an object's JSON. The stored bytes will do unless the object was stored in another version.
    static func write(_ object: StoredObject, _ kind: Kind, into buffer: inout ByteBuffer) {
        if isOfVersion(object, kind) {
            buffer.writeBytes(object.encoded)
        } else {
            buffer.writeBytes(value(object, kind).encoded())
        }
    }

    static func value(_ object: StoredObject, _ kind: Kind) -> JSON {
        if isOfVersion(object, kind) { return object.value }
        if EventSpelling.isOther(kind) { return EventSpelling.new(object.value) }
        if AutoscalerSpelling.isOther(kind) { return AutoscalerSpelling.old(object.value) }
        var value = object.value
        value["apiVersion"] = .string(kind.apiVersion)
        value["kind"] = .string(kind.kind)
        return value
    }

    private static func isOfVersion(_ object: StoredObject, _ kind: Kind) -> Bool {
        object.isOf(apiVersion: kind.apiVersion, kind: kind.kind)
    }
}

/// `meta.k8s.io` PartialObjectMetadata: an object without anything but its metadata.
enum PartialMetadata {
    static func object(_ object: StoredObject, version: String) -> JSON {
        ["kind": "PartialObjectMetadata", "apiVersion": .string("meta.k8s.io/\(version)"), "metadata": object.metadata]
    }
}
