public import Access
public import KubeModel
public import Logging
public import NIOCore
import NIOPosix
public import NIOSSL
public import Registry

/// The Kubernetes API over HTTPS.
///
///     let server = APIServer(registry: registry, logs: node, authenticator: CertificateAuthenticator(), version: version, logger: logger)
///     server.addHealthCheck("etcd") { !catalogue.isClosed }
///     try await server.serve(listeners: [descriptor], tls: context)
public final class APIServer: Sendable {
    private let server: HTTPServer
    private let health = HealthChecks()
    private let sources = MetricsEndpoint.Sources()
    let router: Router

    /// - Parameters:
    ///   - logs: where the logs of pods come from; without it `pods/log` answers 503.
    ///   - streams: where `pods/exec`, `pods/attach` and `pods/portforward` lead; without it they answer 503.
    ///   - operations: what `lab` asks for beside the Kubernetes API; without it these paths are unknown.
    ///   - metrics: what pods and nodes use; without it `metrics.k8s.io` answers 503.
    ///   - loopback: the way to webhooks on the machine's loopback; without it they are looked for on labd's own.
    ///   - authenticator: who is who. Without a known user only the health checks and `/version` answer.
    ///   - tokens: signs tokens of ServiceAccounts; without it there are none.
    ///   - bookmarkInterval: how often a watch that asked for bookmarks gets one.
    ///   - group: the event loops that connections run on.
    public init(
        registry: Registry, logs: (any PodLogs)? = nil, streams: (any PodStreams)? = nil, operations: (any LabOperations)? = nil,
        metrics: (any MetricsSource)? = nil, loopback: (any LoopbackDialer)? = nil, authenticator: any Authenticator, tokens: TokenIssuer? = nil,
        version: VersionInfo, limits: HTTPLimits = HTTPLimits(),
        bookmarkInterval: Duration = .seconds(60), clock: TimeSource = .system, group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        logger: Logger
    ) {
        registry.callWebhooks(through: WebhookClient(catalogue: registry.catalogue, loopback: loopback))
        let discovery = Discovery(registry: registry, health: health)
        let requests = RequestMetrics { path in Router.serves(path, registry) }
        let authorizer = Authorizer(catalogue: registry.catalogue)
        registry.decideAccess { authorizer.answer($0, $1) }
        let router = Router(
            access: AccessControl(authenticator: authenticator, authorizer: authorizer), health: health, version: version, discovery: discovery,
            openAPI: OpenAPI(registry: registry, discovery: discovery, version: version),
            resources: ResourceHandler(
                registry: registry, pages: PageStore(), logs: logs, streams: streams, clock: { clock.now }, logger: logger,
                bookmarkInterval: bookmarkInterval, reviewer: WriteReviewer(authorizer: authorizer)),
            reviews: AccessReviews(registry: registry, authenticator: authenticator, authorizer: authorizer, tokens: tokens),
            metrics: MetricsAPI(catalogue: registry.catalogue, source: metrics), requests: requests,
            endpoint: MetricsEndpoint(registry: registry, requests: requests, health: health, version: version, sources: sources),
            tokens: TokenRequests(registry: registry, issuer: tokens, clock: { clock.now }), operations: operations, logger: logger)
        self.router = router
        let server = HTTPServer(group: group, limits: limits, logger: logger) { request in Compression.compressed(await router.respond(request), for: request) }
        self.server = server
        health.add("shutdown", of: ["readyz"]) { [weak server] in !(server?.isShuttingDown ?? true) }
    }

    /// Adds a condition of `/healthz`, `/livez` and `/readyz`. It is asked at each request for them and must not block.
    public func addHealthCheck(_ name: String, _ check: @escaping @Sendable () -> Bool) { health.add(name, check) }

    /// Adds what `/metrics` tells; asked at each request for it.
    public func addMetrics(_ source: @escaping @Sendable () async -> [MetricFamily]) { sources.add(source) }

    /// Answers on listening sockets until `shutDown`, or until the task is cancelled.
    /// - Parameters:
    ///   - listeners: descriptors of bound, listening TCP sockets; the server owns and closes them.
    ///   - tls: the server's certificate and whom to trust. `certificateVerification: .optionalVerification` lets clients come with a
    ///     certificate or with a token.
    public func serve(listeners: [CInt], tls: NIOSSLContext) async throws {
        try await server.serve(listeners, tls: tls)
    }

    /// Stops accepting, ends watches and followed logs, lets other requests finish, and closes what is left after the grace time.
    public func shutDown(within grace: TimeAmount = .seconds(5)) { server.shutDown(within: grace) }
}
