import Catalogue
import KubeModel
import NIOCore
import NIOHTTP1
import Registry

extension ResourceHandler {
    func get(_ target: Target, _ name: String, _ request: Request) async throws(APIStatus) -> Response {
        let form = try Representation.negotiate(request.headers)
        guard let object = catalogue.get(target.key(name)) else {
            throw .notFound(target.kind.plural, group: target.kind.group, name: name)
        }
        return try present(try await registry.shown(object, as: target.kind), target.kind, form, request)
    }

    func list(_ target: Target, _ request: Request) async throws(APIStatus) -> Response {
        let form = try Representation.negotiate(request.headers)
        let options = try ListOptions(request.query, target.kind)
        var page = try await select(target, options)
        page.objects = try await registry.shown(page.objects, as: target.kind)
        switch form.form {
        case .object where form.encoding == .json: return Response(type: MediaType.json, bytes: encode(page, target.kind))
        case .object:
            let items = page.objects.map { ObjectBytes.value($0, target.kind) }
            return encode(
                [
                    "kind": .string(target.kind.listKind), "apiVersion": .string(target.kind.apiVersion), "metadata": page.metadata,
                    "items": .array(items),
                ], form)
        case .metadata:
            let items = page.objects.map { PartialMetadata.object($0, version: form.metaVersion) }
            return encode(
                [
                    "kind": "PartialObjectMetadataList", "apiVersion": .string("meta.k8s.io/\(form.metaVersion)"), "metadata": page.metadata,
                    "items": .array(items),
                ], form)
        case .table where form.encoding == .json:
            let table = try tableBuilder(target.kind, form, request)
            return Response(type: MediaType.json, bytes: ByteBuffer(bytes: table.encoded(page.objects, metadata: page.metadata)))
        case .table: return encode(try tableBuilder(target.kind, form, request).table(of: page.objects, metadata: page.metadata), form)
        }
    }

    /// The list as bytes, each object's stored bytes copied once.
    private func encode(_ page: Page, _ kind: Kind) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeString("{\"kind\":\(JSON.quoted(kind.listKind)),\"apiVersion\":\(JSON.quoted(kind.apiVersion)),\"metadata\":")
        bytes.writeBytes(page.metadata.encoded())
        bytes.writeString(",\"items\":[")
        for (index, object) in page.objects.enumerated() {
            if index > 0 { bytes.writeString(",") }
            ObjectBytes.write(object, kind, into: &bytes)
        }
        bytes.writeString("]}\n")
        return bytes
    }

    /// The objects that a list request means, cut to its page.
    func select(_ target: Target, _ options: ListOptions) async throws(APIStatus) -> Page {
        if let token = options.continuation { return try pages.next(token, target, options) }
        var (objects, revision) = try await snapshot(target, options)
        // Fields are those of the version that is asked for.
        if !options.fields.isEmpty { objects = try await registry.shown(objects, as: target.kind) }
        let selected = options.selectsAll ? objects : objects.filter { options.selects($0.value) }
        return pages.first(selected, revision: revision, target, options)
    }

    private func snapshot(_ target: Target, _ options: ListOptions) async throws(APIStatus) -> ([StoredObject], Int64) {
        // One object by name is worth no walk through all of them.
        let named: String? = options.fields.requiredValue(of: "metadata.name")
        let objects: [StoredObject]
        let revision: Int64
        if let name = named, target.namespace != nil || !target.kind.isNamespaced {
            revision = catalogue.revision
            objects = catalogue.get(target.key(name)).map { [$0] } ?? []
        } else {
            (objects, revision) = catalogue.list(target.stored.resource, namespace: target.namespace)
        }
        if let wanted = options.resourceVersion, wanted > revision { throw Self.tooLarge(wanted, revision) }
        if options.match == .exact, let wanted = options.resourceVersion, wanted != revision {
            return (try await past(objects, asOf: wanted, target), wanted)
        }
        return (objects, revision)
    }

    /// The objects as they were at an earlier revision: what has changed since is undone, newest first.
    private func past(_ objects: [StoredObject], asOf revision: Int64, _ target: Target) async throws(APIStatus) -> [StoredObject] {
        let changes = try await ChangeLog.changes(of: target.stored.resource, namespace: target.namespace, after: revision, in: catalogue)
        if changes.isEmpty { return objects }
        var past: [ObjectKey: StoredObject] = [:]
        for object in objects { past[object.key] = object }
        for change in changes.reversed() { past[change.object.key] = change.previous }
        return past.values.sorted { $0.key < $1.key }
    }

    /// 504 as upstream's watch cache answers for a revision from the future.
    static func tooLarge(_ wanted: Int64, _ current: Int64) -> APIStatus {
        APIStatus(
            code: 504, reason: "Timeout", message: "Timeout: Too large resource version: \(wanted), current: \(current)",
            causes: [APIStatus.Cause(reason: "ResourceVersionTooLarge", message: "Too large resource version", field: "")], retryAfterSeconds: 1)
    }
}
