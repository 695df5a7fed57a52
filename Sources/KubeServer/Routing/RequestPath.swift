import KubeModel

/// Where a path of the API leads to.
enum RequestPath: Equatable {
    /// `/healthz`, `/livez`, `/readyz`, with what stands behind them.
    case health([String])
    case version
    /// `/metrics`, and `/metrics/slis`.
    case metrics(slis: Bool)
    /// `/`
    case index
    /// `/api`
    case legacyVersions
    /// `/apis`
    case groups
    /// `/apis/{group}`
    case group(String)
    /// `/api/v1` and `/apis/{group}/{version}`
    case resources(group: String, version: String)
    case openAPIv2
    /// `/openapi/v3`
    case openAPIv3Index
    /// `/openapi/v3/api/v1`, `/openapi/v3/apis/{group}/{version}`: what stands behind `/openapi/v3/`.
    case openAPIv3(String)
    /// `/.well-known/openid-configuration`
    case issuer
    /// `/openid/v1/jwks`
    case issuerKeys
    case resource(ResourcePath)
    /// `/kindling/v1/…`, what stands behind it.
    case lab([String])
    case unknown

    /// - Throws: 400 where a segment is no UTF-8, has a bad percent sign or hides a slash or a dot segment behind one.
    init(parsing path: String) throws(APIStatus) {
        let segments = try Self.segments(path)
        switch segments.first {
        case nil: self = .index
        case "healthz", "livez", "readyz": self = .health(segments)
        case "version" where segments.count == 1: self = .version
        case "metrics" where segments.count == 1: self = .metrics(slis: false)
        case "metrics" where segments == ["metrics", "slis"]: self = .metrics(slis: true)
        case "openapi": self = Self.openAPI(segments)
        case ".well-known" where segments == [".well-known", "openid-configuration"]: self = .issuer
        case "openid" where segments == ["openid", "v1", "jwks"]: self = .issuerKeys
        case "api":
            switch segments.count {
            case 1: self = .legacyVersions
            case 2: self = .resources(group: "", version: segments[1])
            default: self = Self.resource(group: "", version: segments[1], segments[2...])
            }
        case "apis":
            switch segments.count {
            case 1: self = .groups
            case 2: self = .group(segments[1])
            case 3: self = .resources(group: segments[1], version: segments[2])
            default: self = Self.resource(group: segments[1], version: segments[2], segments[3...])
            }
        case "kindling" where segments.count > 2 && segments[1] == "v1": self = .lab(Array(segments[2...]))
        default: self = .unknown
        }
    }

    /// Decodes each segment by itself, so that an encoded slash can never move a request to another object.
    private static func segments(_ path: String) throws(APIStatus) -> [String] {
        guard path.hasPrefix("/") else { throw .badRequest("expected a path that begins with '/', found \(JSON.quoted(path))") }
        var parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        if parts.last == "" { parts.removeLast() }
        var segments: [String] = []
        for part in parts {
            guard let segment = PercentEncoding.decode(part) else { throw .badRequest("the path \(JSON.quoted(path)) is not percent-encoded UTF-8") }
            if segment.isEmpty || segment == "." || segment == ".." || segment.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == 0 }) {
                throw .badRequest("the path \(JSON.quoted(path)) has an empty segment, '.', '..' or an encoded '/'")
            }
            segments.append(segment)
        }
        return segments
    }

    private static func openAPI(_ segments: [String]) -> RequestPath {
        switch segments.count {
        case 2 where segments[1] == "v2": .openAPIv2
        case 2 where segments[1] == "v3": .openAPIv3Index
        case 3... where segments[1] == "v3": .openAPIv3(segments[2...].joined(separator: "/"))
        default: .unknown
        }
    }

    private static func resource(group: String, version: String, _ rest: ArraySlice<String>) -> RequestPath {
        var rest = rest
        var namespace: String?
        // /api/v1/watch/pods: how watches were asked for before there was ?watch=1; upstream serves it still.
        let isWatch = rest.first == "watch" && rest.count > 1
        if isWatch { rest = rest.dropFirst() }
        // /namespaces/{name}/status is the namespace's own subresource, /namespaces/{name}/pods is the pods in it.
        if rest.first == "namespaces", rest.count > 2, !["status", "finalize"].contains(rest[rest.startIndex + 2]) || rest.count > 3 {
            namespace = rest[rest.startIndex + 1]
            rest = rest.dropFirst(2)
        }
        let parts = Array(rest)
        // What stands behind a proxy is a path of the pod's.
        guard parts.count <= 3 || parts[2] == "proxy" else { return .unknown }
        return .resource(
            ResourcePath(
                group: group, version: version, namespace: namespace, plural: parts[0], name: parts.count > 1 ? parts[1] : nil,
                subresource: parts.count > 2 ? parts[2] : nil, watches: isWatch))
    }
}

/// The path of objects: `/apis/batch/v1/namespaces/default/jobs/train/status`.
struct ResourcePath: Equatable {
    let group: String
    let version: String
    /// `nil` for cluster-scoped objects and for a look over all namespaces.
    let namespace: String?
    let plural: String
    let name: String?
    let subresource: String?
    /// Whether the path alone asks for a watch (`/api/v1/watch/…`).
    var watches = false
}
