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
            for (path, kinds) in groupVersions() { known.byPath[path] = ContentHash.hex(document(kinds)) }
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

    /// `/openapi/v3/apis/batch/v1`
    func v3(group: String, version: String, _ request: Request) throws(APIStatus) -> Response {
        let kinds = registry.kinds.filter { $0.group == group && $0.version == version }
        guard !kinds.isEmpty else { throw Router.notFound }
        let body = document(kinds)
        var response = tagged(body, type: MediaType.json, request)
        if request.query["hash"] == ContentHash.hex(body) {
            // Asked for by its hash a document can never change.
            response.headers.replaceOrAdd(name: "Cache-Control", value: "public, immutable, max-age=31536000")
            response.headers.replaceOrAdd(name: "Date", value: HTTPDate.text(TimeSource.system.now))
        }
        return response
    }

    /// Kinds by the paths that the index gives them: `api/v1`, `apis/batch/v1`.
    private func groupVersions() -> [String: [Kind]] {
        Dictionary(grouping: registry.kinds) { $0.group.isEmpty ? "api/\($0.version)" : "apis/\($0.group)/\($0.version)" }
    }

    private func document(_ kinds: [Kind]) -> ByteBuffer {
        var definitions = DefinitionCollector(registry: registry, style: .v3)
        for kind in kinds { definitions.add(kind) }
        let document: JSON = [
            "openapi": "3.0.0", "info": ["title": "Kubernetes", "version": .string(version.gitVersion)],
            "paths": .object(PathsDocument.paths(of: kinds, style: .v3)), "components": ["schemas": .object(definitions.definitions)],
        ]
        return ByteBuffer(bytes: document.encoded())
    }

    // MARK: Version 2

    /// `/openapi/v2`: everything in one document, as JSON or as gnostic's protobuf.
    func v2(_ request: Request) throws(APIStatus) -> Response {
        let accepted = MediaType.accepted(request.headers)
        let kinds = registry.kinds
        for type in accepted.isEmpty ? [MediaType(parsing: "*/*")].compactMap(\.self) : accepted {
            if Self.protobuf.contains(type.name) {
                return tagged(ByteBuffer(bytes: Gnostic.encode(swagger(kinds))), type: Self.protobuf[1], request)
            }
            if ["*/*", "application/*", MediaType.json].contains(type.name) {
                return tagged(ByteBuffer(bytes: swagger(kinds).encoded()), type: MediaType.json, request)
            }
        }
        throw APIStatus(
            code: 406, reason: "NotAcceptable",
            message: "only the following media types are accepted: \(MediaType.json), \(Self.protobuf.joined(separator: ", "))")
    }

    private func swagger(_ kinds: [Kind]) -> JSON {
        var definitions = DefinitionCollector(registry: registry, style: .v2)
        for kind in kinds { definitions.add(kind) }
        return [
            "swagger": "2.0", "info": ["title": "Kubernetes", "version": .string(version.gitVersion)],
            "paths": .object(PathsDocument.paths(of: kinds, style: .v2)), "definitions": .object(definitions.definitions),
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
