import Synchronization

/// `/healthz`, `/livez` and `/readyz`, which need no authentication and tell no secrets.
final class HealthChecks: Sendable {
    typealias Check = @Sendable () -> Bool

    private let checks = Mutex<[(name: String, check: Check)]>([])

    func add(_ name: String, _ check: @escaping Check) { checks.withLock { $0.append((name, check)) } }

    /// - Parameter segments: the path, e.g. `["readyz", "catalogue"]`.
    func respond(_ segments: [String], isVerbose: Bool) -> Response {
        let endpoint = segments[0]
        // Alive is whoever answers; ready is who has all its parts.
        var checks = endpoint == "readyz" ? self.checks.withLock { $0 } : []
        if segments.count > 1 {
            checks = checks.filter { $0.name == segments[1] }
            guard !checks.isEmpty || segments[1] == "ping" else { return .text("no check named \(segments[1])\n", status: .notFound) }
        }
        let results = [("ping", true)] + checks.map { ($0.name, $0.check()) }
        let isHealthy = results.allSatisfy(\.1)
        if isHealthy, !isVerbose { return .text("ok") }
        let lines = results.map { $0.1 ? "[+]\($0.0) ok\n" : "[-]\($0.0) failed: not yet ready\n" }.joined()
        return .text("\(lines)\(endpoint) check \(isHealthy ? "passed" : "failed")\n", status: isHealthy ? .ok : .internalServerError)
    }
}
