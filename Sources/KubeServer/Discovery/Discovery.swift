import KubeModel
import NIOCore
import NIOHTTP1
import Registry
import Synchronization

/// Tells clients what is served: group by group, or all at once in the aggregated form that kubectl asks for first.
final class Discovery: Sendable {
    struct Group: Sendable {
        let name: String
        /// The preferred one first.
        var versions: [(name: String, resources: [ServedResource])]
    }

    private struct Snapshot: Sendable {
        var generation = -1
        var groups: [Group] = []
        /// Whole aggregated documents by their path and version.
        var documents: [String: ByteBuffer] = [:]
    }

    private let registry: Registry
    private let health: HealthChecks
    private let snapshot = Mutex(Snapshot())

    init(registry: Registry, health: HealthChecks) {
        self.registry = registry
        self.health = health
    }

    /// All that is served now, the core group first.
    var groups: [Group] { current().groups }

    private func current() -> Snapshot {
        let generation = registry.generation
        let cached = snapshot.withLock { $0 }
        if cached.generation == generation { return cached }
        let fresh = Snapshot(generation: generation, groups: Self.groups(of: registry.kinds))
        snapshot.withLock { $0 = fresh }
        return fresh
    }

    private static func groups(of kinds: [Kind]) -> [Group] {
        var groups: [Group] = [Group(name: "", versions: [])]
        for resource in kinds.map(ServedResource.init) + AccessReviews.served + MetricsAPI.served {
            let group = groups.firstIndex { $0.name == resource.group } ?? groups.endIndex
            if group == groups.endIndex { groups.append(Group(name: resource.group, versions: [])) }
            if let version = groups[group].versions.firstIndex(where: { $0.name == resource.version }) {
                groups[group].versions[version].resources.append(resource)
            } else {
                groups[group].versions.append((resource.version, [resource]))
            }
        }
        for index in groups.indices { groups[index].versions.sort { VersionPriority($0.name) > VersionPriority($1.name) } }
        return groups
    }

    /// What `/` lists.
    var paths: [String] {
        var paths = [
            "/.well-known/openid-configuration", "/api", "/apis", "/healthz", "/livez", "/readyz", "/metrics", "/metrics/slis", "/openapi/v2", "/openapi/v3",
            "/openid/v1/jwks", "/version",
        ]
        paths += health.paths
        for group in groups {
            if !group.name.isEmpty { paths.append("/apis/\(group.name)") }
            for version in group.versions { paths.append(group.name.isEmpty ? "/api/\(version.name)" : "/apis/\(group.name)/\(version.name)") }
        }
        return paths.sorted()
    }

    // MARK: Group by group

    func legacyVersions(_ request: Request) throws(APIStatus) -> Response {
        if let response = aggregated(request, isCore: true) { return response }
        let versions = groups[0].versions.map { JSON.string($0.name) }
        let address: JSON = ["clientCIDR": "0.0.0.0/0", "serverAddress": .string(request.headers.first(name: "host") ?? "")]
        return .json(["kind": "APIVersions", "versions": .array(versions), "serverAddressByClientCIDRs": [address]])
    }

    func groups(_ request: Request) throws(APIStatus) -> Response {
        if let response = aggregated(request, isCore: false) { return response }
        let list = groups.dropFirst().map { Self.legacy($0) }
        return .json(["kind": "APIGroupList", "apiVersion": "v1", "groups": .array(list)])
    }

    func group(_ name: String) throws(APIStatus) -> Response {
        guard !name.isEmpty, let group = groups.first(where: { $0.name == name }) else { throw Router.notFound }
        var json = Self.legacy(group)
        json["kind"] = "APIGroup"
        json["apiVersion"] = "v1"
        return .json(json)
    }

    private static func legacy(_ group: Group) -> JSON {
        let versions = group.versions.map { ["groupVersion": .string("\(group.name)/\($0.name)"), "version": .string($0.name)] as JSON }
        return ["name": .string(group.name), "versions": .array(versions), "preferredVersion": versions.first ?? .null]
    }

    func resources(group: String, version: String) throws(APIStatus) -> Response {
        guard let resources = groups.first(where: { $0.name == group })?.versions.first(where: { $0.name == version })?.resources else {
            throw Router.notFound
        }
        return .json([
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": .string(resources[0].groupVersion),
            "resources": .array(resources.flatMap(Self.legacy)),
        ])
    }

    private static func legacy(_ resource: ServedResource) -> [JSON] {
        var entry: JSON = [
            "name": .string(resource.plural), "singularName": .string(resource.singular), "namespaced": .bool(resource.isNamespaced),
            "kind": .string(resource.kind), "verbs": strings(resource.verbs),
        ]
        if !resource.shortNames.isEmpty { entry["shortNames"] = strings(resource.shortNames) }
        if !resource.categories.isEmpty { entry["categories"] = strings(resource.categories) }
        if !resource.storageVersionHash.isEmpty { entry["storageVersionHash"] = .string(resource.storageVersionHash) }
        let parts = resource.subresources.map { part -> JSON in
            var entry: JSON = [
                "name": .string("\(resource.plural)/\(part.name)"), "singularName": "", "namespaced": .bool(resource.isNamespaced),
                "kind": .string(part.kind), "verbs": strings(part.verbs),
            ]
            if part.group != resource.group || part.version != resource.version {
                entry["group"] = .string(part.group)
                entry["version"] = .string(part.version)
            }
            return entry
        }
        return [entry] + parts
    }

    // MARK: All at once

    /// The aggregated document, where the client prefers it to the older ones.
    private func aggregated(_ request: Request, isCore: Bool) -> Response? {
        for type in MediaType.accepted(request.headers) {
            guard type.name == MediaType.json || type.name == "*/*" || type.name == "application/*" else { continue }
            guard type.parameters["g"] == "apidiscovery.k8s.io", type.parameters["as"] == "APIGroupDiscoveryList" else {
                if type.parameters["as"] == nil { return nil }
                continue
            }
            guard let version = type.parameters["v"], ["v2", "v2beta1"].contains(version) else { continue }
            let contentType = "application/json;g=apidiscovery.k8s.io;v=\(version);as=APIGroupDiscoveryList"
            let (document, tag) = document(isCore: isCore, version: version)
            if request.headers.first(name: "if-none-match") == tag { return Response(status: .notModified, headers: ["ETag": tag]) }
            var response = Response(type: contentType, bytes: document)
            response.headers.add(name: "ETag", value: tag)
            response.headers.add(name: "Vary", value: "Accept")
            return response
        }
        return nil
    }

    private func document(isCore: Bool, version: String) -> (ByteBuffer, tag: String) {
        let current = current()
        let key = "\(isCore)/\(version)"
        let document: ByteBuffer
        if let cached = current.documents[key] {
            document = cached
        } else {
            let items = current.groups.filter { $0.name.isEmpty == isCore }.map(Self.aggregated)
            let json: JSON = [
                "kind": "APIGroupDiscoveryList", "apiVersion": .string("apidiscovery.k8s.io/\(version)"), "metadata": [:], "items": .array(items),
            ]
            document = ByteBuffer(bytes: json.encoded())
            snapshot.withLock { if $0.generation == current.generation { $0.documents[key] = document } }
        }
        return (document, ContentHash.tag(document))
    }

    private static func aggregated(_ group: Group) -> JSON {
        let versions = group.versions.map { version -> JSON in
            ["version": .string(version.name), "resources": .array(version.resources.map(aggregated)), "freshness": "Current"]
        }
        return ["metadata": ["name": .string(group.name), "creationTimestamp": .null], "versions": .array(versions)]
    }

    private static func aggregated(_ resource: ServedResource) -> JSON {
        var entry: JSON = [
            "resource": .string(resource.plural), "responseKind": kind(resource.group, resource.version, resource.kind),
            "scope": resource.isNamespaced ? "Namespaced" : "Cluster", "singularResource": .string(resource.singular), "verbs": strings(resource.verbs),
        ]
        if !resource.shortNames.isEmpty { entry["shortNames"] = strings(resource.shortNames) }
        if !resource.categories.isEmpty { entry["categories"] = strings(resource.categories) }
        if !resource.subresources.isEmpty {
            entry["subresources"] = .array(
                resource.subresources.map {
                    ["subresource": .string($0.name), "responseKind": kind($0.group, $0.version, $0.kind), "verbs": strings($0.verbs)]
                })
        }
        return entry
    }

    private static func kind(_ group: String, _ version: String, _ kind: String) -> JSON {
        ["group": .string(group), "version": .string(version), "kind": .string(kind)]
    }

    private static func strings(_ texts: [String]) -> JSON { .array(texts.map(JSON.string)) }
}
