import Catalogue
import KubeModel
import Logging
import NIOCore
import NIOHTTP1
import Registry

/// From a request to its response: who asks, what for, and who answers.
struct Router: Sendable {
    let access: AccessControl
    let health: HealthChecks
    let version: VersionInfo
    let discovery: Discovery
    let openAPI: OpenAPI
    let resources: ResourceHandler
    let reviews: AccessReviews
    let metrics: MetricsAPI
    let requests: RequestMetrics
    let endpoint: MetricsEndpoint
    let tokens: TokenRequests
    let operations: (any LabOperations)?
    let logger: Logger

    func respond(_ request: Request) async -> Response {
        let path: RequestPath
        do { path = try RequestPath(parsing: request.path) } catch { return .failure(error) }
        let call = requests.begin(path, request)
        return call.answered(await answer(path, request))
    }

    private func answer(_ path: RequestPath, _ request: Request) async -> Response {
        do {
            return try await route(path, request)
        } catch let problem as APIStatus {
            return .failure(problem)
        } catch let problem as CatalogueError {
            return .failure(Self.status(of: problem))
        } catch {
            logger.error("request failed", metadata: ["method": "\(request.method)", "path": "\(request.path)", "error": "\(error)"])
            return .failure(.internalError("\(error)"))
        }
    }

    private static func status(of problem: CatalogueError) -> APIStatus {
        switch problem {
        case .full: APIStatus(code: 507, reason: "InsufficientStorage", message: problem.description)
        case .closed: APIStatus(code: 503, reason: "ServiceUnavailable", message: problem.description, retryAfterSeconds: 1)
        case .corrupt, .newer, .unusable: .internalError(problem.description)
        }
    }

    private func route(_ path: RequestPath, _ request: Request) async throws -> Response {
        var request = request
        switch path {
        case .health(let segments) where segments.count == 1: return health.respond(segments, request.query)
        case .version: return .json(version.json)
        default: break
        }
        request.user = try await access.admit(request, path)
        switch path {
        case .version: throw APIStatus.internalError("\(request.path) was routed twice")
        // What a single check says is not for everybody.
        case .health(let segments): return health.respond(segments, request.query)
        case .metrics(let slis): return try await endpoint.respond(request, slis: slis)
        case .index: return .json(["paths": .array(discovery.paths.map(JSON.string))])
        case .legacyVersions: return try discovery.legacyVersions(request)
        case .groups: return try discovery.groups(request)
        case .group(let group): return try discovery.group(group)
        case .resources(let group, let version): return try discovery.resources(group: group, version: version)
        case .openAPIv2: return try openAPI.v2(request)
        case .openAPIv3Index: return openAPI.v3Index(request)
        case .openAPIv3(let place): return try openAPI.v3(place, request)
        case .issuer: return try tokens.configuration()
        case .issuerKeys: return try tokens.keys()
        case .resource(let path):
            if let review = try await reviews.respond(path, request, request.user) { return review }
            if let token = try tokens.respond(path, request) { return token }
            if path.group == MetricsAPI.group { return try await metrics.respond(path, request) }
            return try await resources.respond(path, request, request.user)
        case .lab(let operation): return try await respond(request, operation)
        case .unknown: throw Self.notFound
        }
    }

    /// Whether a path of objects names something that is served.
    static func serves(_ path: ResourcePath, _ registry: Registry) -> Bool {
        if let kind = registry.kind(group: path.group, version: path.version, plural: path.plural) {
            return path.subresource.map { kind.subresources.contains($0) } ?? true
        }
        return path.subresource == nil
            && (AccessReviews.served + MetricsAPI.served).contains { $0.group == path.group && $0.version == path.version && $0.plural == path.plural }
    }

    /// 404 for a path of objects that leads nowhere, with what it names.
    static func notFound(_ path: ResourcePath) -> APIStatus {
        var status = notFound
        (status.group, status.kind, status.name) = (path.group, path.plural, path.name ?? "")
        return status
    }

    static let notFound = APIStatus(code: 404, reason: "NotFound", message: "the server could not find the requested resource")
}
