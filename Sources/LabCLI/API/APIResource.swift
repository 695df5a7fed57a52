import KubeModel

/// A resource that the API serves, as discovery tells.
struct APIResource: Sendable, Equatable {
    var group: String
    var version: String
    var plural: String
    var singular: String
    var kind: String
    var shortNames: [String] = []
    var categories: [String] = []
    var isNamespaced: Bool
    var verbs: [String] = []

    var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }
    /// As kubectl names the kind in its answers: `pod`, `job.batch`.
    var displayName: String { group.isEmpty ? singular : "\(singular).\(group)" }
    /// As the API's messages name it: `pods`, `jobs.batch`.
    var qualifiedPlural: String { group.isEmpty ? plural : "\(plural).\(group)" }

    func path(namespace: String?, name: String? = nil, subresource: String? = nil) -> String {
        var path = group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)"
        if isNamespaced, let namespace { path += "/namespaces/\(PercentCoding.encode(namespace))" }
        path += "/\(plural)"
        if let name { path += "/\(PercentCoding.encode(name))" }
        if let subresource { path += "/\(subresource)" }
        return path
    }
}

/// All resources of the API.
struct ResourceCatalog: Sendable {
    let resources: [APIResource]

    /// Reads the two answers of aggregated discovery (`apidiscovery.k8s.io/v2`); the first version of a group is the preferred one.
    init(core: JSON, groups: JSON) {
        var resources: [APIResource] = []
        for item in core["items"].elements + groups["items"].elements {
            let group = item["metadata"]["name"].stringValue ?? ""
            for version in item["versions"].elements {
                for resource in version["resources"].elements {
                    let kind = resource["responseKind"]["kind"].stringValue ?? ""
                    resources.append(
                        APIResource(
                            group: group, version: version["version"].stringValue ?? "", plural: resource["resource"].stringValue ?? "",
                            singular: resource["singularResource"].stringValue.flatMap { $0.isEmpty ? nil : $0 } ?? kind.lowercased(),
                            kind: kind,
                            shortNames: resource["shortNames"].elements.compactMap(\.stringValue),
                            categories: resource["categories"].elements.compactMap(\.stringValue),
                            isNamespaced: resource["scope"].stringValue == "Namespaced",
                            verbs: resource["verbs"].elements.compactMap(\.stringValue)))
                }
            }
        }
        self.resources = resources
    }

    /// The resource that a user's word means: plural, singular, kind or short name, with or without the group behind a dot.
    func find(_ word: String) throws(CommandError) -> APIResource {
        let lower = word.lowercased()
        if let found = lookUp(lower, in: resources) { return found }
        if let dot = lower.firstIndex(of: ".") {
            let group = lower[lower.index(after: dot)...]
            let name = String(lower[..<dot])
            // `jobs.v1.batch` names the version as well.
            let inGroup = resources.filter { $0.group == group || "\($0.version).\($0.group)" == group }
            if let found = lookUp(name, in: inGroup) { return found }
        }
        let near = resources.map(\.plural).filter { $0.hasPrefix(lower.prefix(3)) }.prefix(4).joined(separator: ", ")
        throw CommandError(
            "the lab has no kind '\(word)'" + (near.isEmpty ? ": 'kubectl api-resources' lists them" : ": did you mean \(near)?"))
    }

    private func lookUp(_ name: String, in resources: [APIResource]) -> APIResource? {
        resources.first { $0.plural == name || $0.singular == name || $0.kind.lowercased() == name }
            ?? resources.first { $0.shortNames.contains(name) }
    }

    func find(apiVersion: String, kind: String) -> APIResource? {
        resources.first { $0.apiVersion == apiVersion && $0.kind == kind }
    }
}

extension APIClient {
    private static let discoveryType =
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"

    /// Asks the API what it serves.
    func discover() async throws -> ResourceCatalog {
        async let core = request(.GET, "/api", accept: Self.discoveryType)
        async let groups = request(.GET, "/apis", accept: Self.discoveryType)
        return ResourceCatalog(core: try await core, groups: try await groups)
    }
}
