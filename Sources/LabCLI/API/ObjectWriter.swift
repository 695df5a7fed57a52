import KubeModel
import NIOHTTP1

/// What became of one object.
struct WrittenObject: Sendable {
    enum Outcome: String, Sendable { case created, configured, unchanged }
    let outcome: Outcome
    let object: JSON
    let resource: APIResource

    var name: String { object["metadata"]["name"].stringValue ?? "" }
    var namespace: String? { object["metadata"]["namespace"].stringValue }
    /// As kubectl says it: `job.batch/x created`.
    var line: String { "\(resource.displayName)/\(name) \(outcome.rawValue)" }
}

/// Creates and applies the objects of manifests.
struct ObjectWriter {
    static let manager = "lab"
    let client: APIClient
    /// `-n`; nil where it was not given.
    var namespace: String?
    var isDryRun = false
    private var catalog: ResourceCatalog

    init(_ client: APIClient, namespace: String?, isDryRun: Bool = false) async throws {
        self.client = client
        self.namespace = namespace
        self.isDryRun = isDryRun
        catalog = try await client.discover()
    }

    /// Server-side apply: the objects of a name become as the manifest says; one with a generateName alone is created.
    mutating func apply(_ manifest: Manifest) async throws -> WrittenObject {
        let (resource, space, object) = try await place(manifest)
        guard let name = manifest.name else {
            guard manifest.generateName != nil else {
                throw CommandError("\(manifest.origin): expected metadata.name or metadata.generateName, found neither")
            }
            return try await create(object, resource, space, manifest)
        }
        let path = resource.path(namespace: space, name: name)
        let before = try await client.exchange(.GET, path)
        if before.status != 200, before.status != 404 { throw at(manifest, APIClient.refusal(before)) }
        let old = before.status == 200 ? try before.json() : .null
        let query = parameters + [("force", "true")]
        let answer = try await client.exchange(
            .PATCH, path, query: query, body: object.encoded(), contentType: "application/apply-patch+yaml")
        guard (200..<300).contains(answer.status) else { throw at(manifest, APIClient.refusal(answer)) }
        let new = try answer.json()
        let isSame = new["metadata"]["resourceVersion"] == old["metadata"]["resourceVersion"]
        return WrittenObject(outcome: old.isNull ? .created : isSame ? .unchanged : .configured, object: new, resource: resource)
    }

    /// - Throws: where an object of that name exists.
    mutating func create(_ manifest: Manifest) async throws -> WrittenObject {
        let (resource, space, object) = try await place(manifest)
        return try await create(object, resource, space, manifest)
    }

    private func create(_ object: JSON, _ resource: APIResource, _ space: String?, _ manifest: Manifest) async throws -> WrittenObject {
        var object = object
        // A manifest may be what was once read; kubectl takes the version out as well.
        object.remove(path: ["metadata", "resourceVersion"])
        let answer = try await client.exchange(.POST, resource.path(namespace: space), query: parameters, body: object.encoded())
        guard (200..<300).contains(answer.status) else { throw at(manifest, APIClient.refusal(answer)) }
        return WrittenObject(outcome: .created, object: try answer.json(), resource: resource)
    }

    private var parameters: [(String, String)] {
        [("fieldManager", Self.manager), ("fieldValidation", "Strict")] + (isDryRun ? [("dryRun", "All")] : [])
    }

    private func at(_ manifest: Manifest, _ error: CommandError) -> CommandError {
        CommandError("\(manifest.origin): \(error.message)", reason: error.reason)
    }

    /// The object's resource and namespace. The object itself is sent as the user wrote it, but for a namespace given by `-n`.
    mutating func place(_ manifest: Manifest) async throws -> (resource: APIResource, namespace: String?, object: JSON) {
        let resource = try await resource(of: manifest)
        guard resource.isNamespaced else { return (resource, nil, manifest.object) }
        if let own = manifest.namespace {
            if let namespace, namespace != own {
                throw CommandError(
                    "\(manifest.origin): the object's namespace is '\(own)' and -n says '\(namespace)': leave out -n, or change the object")
            }
            return (resource, own, manifest.object)
        }
        return (resource, namespace ?? client.defaultNamespace, manifest.object)
    }

    private mutating func resource(of manifest: Manifest) async throws -> APIResource {
        if let found = catalog.find(apiVersion: manifest.apiVersion, kind: manifest.kind) { return found }
        // A definition earlier in the same manifest may have brought the kind.
        catalog = try await client.discover()
        if let found = catalog.find(apiVersion: manifest.apiVersion, kind: manifest.kind) { return found }
        let others = catalog.resources.filter { $0.kind == manifest.kind }.map(\.apiVersion)
        throw CommandError(
            "\(manifest.origin): the lab has no kind '\(manifest.kind)' of '\(manifest.apiVersion)'"
                + (others.isEmpty ? "; 'kubectl api-resources' lists what there is" : "; it has it of \(others.joined(separator: " and "))")
        )
    }
}
