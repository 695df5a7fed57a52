import KubeModel
import NIOCore
import NIOHTTP1
import Registry
import Synchronization

/// The schemas of everything that is served, for `kubectl explain`, client-side checks and strategic merge patches.
/// Documents are made anew when somebody asks: clients keep them by their hash, the daemon need not.
final class OpenAPI: Sendable {
    /// Spellings of gnostic's protobuf form of version 2; client-go writes the first.
    private static let protobuf = [
        "application/com.github.proto-openapi.spec.v2@v1.0+protobuf", "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
    ]

    private struct Hashes: Sendable {
        var generation = -1
        var byPath: [String: String] = [:]
    }

    private let registry: Registry
    private let discovery: Discovery
    private let version: VersionInfo
    private let hashes = Mutex(Hashes())

    init(registry: Registry, discovery: Discovery, version: VersionInfo) {
        self.registry = registry
        self.discovery = discovery
        self.version = version
    }

    // MARK: Version 3

    /// `/openapi/v3`: where each group's document is, with its hash.
    func v3Index(_ request: Request) -> Response {
        let generation = registry.generation
        var known = hashes.withLock { $0 }
        if known.generation != generation {
            known = Hashes(generation: generation)
            let (resources, discovery) = parts(.v3)
            for place in Set(resources.keys).union(discovery.keys) {
                known.byPath[place] = ContentHash.hex(document(resources[place] ?? [], discovery[place] ?? [:]))
            }
            let fresh = known
            hashes.withLock { $0 = fresh }
        }
        var paths = JSONObject()
        for (path, hash) in known.byPath.sorted(by: { $0.key < $1.key }) {
            paths[path] = ["serverRelativeURL": .string("/openapi/v3/\(path)?hash=\(hash)")]
        }
        let body = ByteBuffer(bytes: JSON.object(["paths": .object(paths)]).encoded())
        return tagged(body, type: MediaType.json, request)
    }

    /// - Parameter place: what stands behind `/openapi/v3/`, e.g. `apis/batch/v1`.
    func v3(_ place: String, _ request: Request) throws(APIStatus) -> Response {
        let (resources, discovery) = parts(.v3)
        guard resources[place] != nil || discovery[place] != nil else { throw Router.notFound }
        let body = document(resources[place] ?? [], discovery[place] ?? [:])
        var response = tagged(body, type: MediaType.json, request)
        if request.query["hash"] == ContentHash.hex(body) {
            // Asked for by its hash a document can never change.
            response.headers.replaceOrAdd(name: "Cache-Control", value: "public, immutable, max-age=31536000")
            response.headers.replaceOrAdd(name: "Date", value: HTTPDate.text(TimeSource.system.now))
        }
        return response
    }

    /// What is served, and what tells of it, by the documents that it belongs to.
    private func parts(_ style: DefinitionCollector.Style) -> (resources: [String: [DocumentedResource]], discovery: [String: JSONObject]) {
        (Dictionary(grouping: DocumentedResource.all(registry), by: \.place), DiscoveryPaths.all(discovery.groups, style: style))
    }

    private func document(_ resources: [DocumentedResource], _ discovery: JSONObject) -> ByteBuffer {
        let (paths, definitions) = parts(resources, discovery, .v3)
        let document: JSON = [
            "openapi": "3.0.0", "info": ["title": "Kubernetes", "version": .string(version.gitVersion)],
            "paths": .object(paths), "components": ["schemas": .object(definitions)],
        ]
        return ByteBuffer(bytes: document.encoded())
    }

    /// Paths, and all definitions that they speak of.
    private func parts(
        _ resources: [DocumentedResource], _ discovery: JSONObject, _ style: DefinitionCollector.Style
    ) -> (paths: JSONObject, definitions: JSONObject) {
        var definitions = DefinitionCollector(registry: registry, style: style)
        for resource in resources { definitions.add(resource) }
        for (_, item) in discovery {
            let response = item["get"]["responses"]["200"]
            let schema = style == .v2 ? response["schema"] : response["content"]["application/json"]["schema"]
            if let name = schema["$ref"].stringValue?.split(separator: "/").last { definitions.add(definition: String(name)) }
        }
        var paths = PathsDocument.paths(of: resources, style: style)
        for (path, item) in discovery { paths[path] = item }
        var named = definitions.definitions
        // The same text each time: clients know a document by its hash.
        paths.sort { $0.key < $1.key }
        named.sort { $0.key < $1.key }
        return (paths, named)
    }

    // MARK: Version 2

    /// `/openapi/v2`: everything in one document, as JSON or as gnostic's protobuf.
    func v2(_ request: Request) throws(APIStatus) -> Response {
        let accepted = MediaType.accepted(request.headers)
        for type in accepted.isEmpty ? [MediaType(parsing: "*/*")].compactMap(\.self) : accepted {
            if Self.protobuf.contains(type.name) {
                return tagged(ByteBuffer(bytes: Gnostic.encode(swagger())), type: Self.protobuf[1], request)
            }
            if ["*/*", "application/*", MediaType.json].contains(type.name) {
                return tagged(ByteBuffer(bytes: swagger().encoded()), type: MediaType.json, request)
            }
        }
        throw APIStatus(
            code: 406, reason: "NotAcceptable",
            message: "only the following media types are accepted: \(MediaType.json), \(Self.protobuf.joined(separator: ", "))")
    }

    private func swagger() -> JSON {
        let discovery = DiscoveryPaths.all(discovery.groups, style: .v2).values.reduce(into: JSONObject()) { all, some in
            for (path, item) in some { all[path] = item }
        }
        let (paths, definitions) = parts(DocumentedResource.all(registry), discovery, .v2)
        return [
            "swagger": "2.0", "info": ["title": "Kubernetes", "version": .string(version.gitVersion)],
            "paths": .object(paths), "definitions": .object(definitions),
        ]
    }

    private func tagged(_ body: ByteBuffer, type: String, _ request: Request) -> Response {
        let tag = ContentHash.tag(body)
        if request.headers.first(name: "if-none-match") == tag { return Response(status: .notModified, headers: ["ETag": tag]) }
        var response = Response(type: type, bytes: body)
        response.headers.add(name: "ETag", value: tag)
        response.headers.add(name: "Vary", value: "Accept")
        return response
    }
}

/// The date format of HTTP headers: `Tue, 24 Nov 2026 04:10:51 GMT`.
enum HTTPDate {
    static func text(_ time: Timestamp) -> String {
        let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        // 2026-11-24T04:10:51Z
        let text = Timestamp(seconds: time.seconds).description
        let date = text.prefix(10).split(separator: "-")
        guard date.count == 3, let month = Int(date[1]), months.indices.contains(month - 1), time.seconds >= 0 else { return text }
        return "\(days[Int(time.seconds / 86400 % 7)]), \(date[2]) \(months[month - 1]) \(date[0]) \(text.dropFirst(11).prefix(8)) GMT"
    }
}
