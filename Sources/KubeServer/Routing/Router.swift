import Catalogue
import KubeModel
import Logging
import NIOCore
import NIOHTTP1
import Registry

/// From a request to its response: who asks, what for, and who answers.
struct Router: Sendable {
    let authenticator: any Authenticator
    let health: HealthChecks
    let version: VersionInfo
    let discovery: Discovery
    let openAPI: OpenAPI
    let resources: ResourceHandler
    let reviews: AccessReviews
    let metrics: MetricsAPI
    let operations: (any LabOperations)?
    let logger: Logger

    func respond(_ request: Request) async -> Response {
        do {
            return try await route(request)
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

    private func route(_ request: Request) async throws -> Response {
        var request = request
        let path = try RequestPath(parsing: request.path)
        switch path {
        case .health(let segments): return health.respond(segments, isVerbose: request.query["verbose"] != nil)
        case .version: return .json(version.json)
        default: break
        }
        let user = try await authorize(request, path)
        request.user = user
        switch path {
        case .health, .version: throw APIStatus.internalError("\(request.path) was routed twice")
        case .index: return .json(["paths": .array(discovery.paths.map(JSON.string))])
        case .legacyVersions: return try discovery.legacyVersions(request)
        case .groups: return try discovery.groups(request)
        case .group(let group): return try discovery.group(group)
        case .resources(let group, let version): return try discovery.resources(group: group, version: version)
        case .openAPIv2: return try openAPI.v2(request)
        case .openAPIv3Index: return openAPI.v3Index(request)
        case .openAPIv3(let group, let version): return try openAPI.v3(group: group, version: version, request)
        case .resource(let path):
            if let review = try await reviews.respond(path, request, user) { return review }
            if path.group == MetricsAPI.group { return try await metrics.respond(path, request) }
            return try await resources.respond(path, request, user)
        case .lab(let operation): return try await respond(request, operation)
        case .unknown: throw Self.notFound
        }
    }

    /// - Throws: 401 for somebody unknown, 403 for somebody who is not an administrator: for now nobody else has rights.
    private func authorize(_ request: Request, _ path: RequestPath) async throws(APIStatus) -> User {
        guard let user = await authenticator.authenticate(request.credentials) else {
            throw APIStatus(code: 401, reason: "Unauthorized", message: "Unauthorized")
        }
        if user.isAdministrator { return user }
        if case .resource(let resource) = path {
            if AccessReviews.isSelfReview(resource) { return user }
            let verb = ResourceHandler.verb(of: request.method, resource, isWatch: request.query.flag("watch"))
            let place = resource.namespace.map { "in the namespace \"\($0)\"" } ?? "at the cluster scope"
            throw .forbidden(
                resource.plural, group: resource.group, name: resource.name ?? "",
                "User \"\(user.name)\" cannot \(verb) resource \"\(resource.plural)\" in API group \"\(resource.group)\" \(place)")
        }
        // Every known user may discover (upstream: system:discovery).
        guard request.method == .GET, path != .unknown, !path.isLabOperation else {
            throw APIStatus(
                code: 403, reason: "Forbidden",
                message: "forbidden: User \"\(user.name)\" cannot \(request.method.rawValue.lowercased()) path \"\(request.path)\"")
        }
        return user
    }

    static let notFound = APIStatus(code: 404, reason: "NotFound", message: "the server could not find the requested resource")
}
