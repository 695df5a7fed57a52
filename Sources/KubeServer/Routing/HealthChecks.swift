import Synchronization

/// `/healthz`, `/livez` and `/readyz`, which need no authentication and tell no secrets, and single checks below them (upstream:
/// apiserver/pkg/server/healthz).
final class HealthChecks: Sendable {
    typealias Check = @Sendable () -> Bool

    static let endpoints = ["healthz", "livez", "readyz"]

    private struct Entry: Sendable {
        let name: String
        let endpoints: [String]
        let isHealthy: Check
    }

    // Whoever answers is alive.
    private let entries = Mutex<[Entry]>([Entry(name: "ping", endpoints: endpoints) { true }])

    /// - Parameters:
    ///   - name: may have slashes.
    ///   - endpoints: those that ask it.
    func add(_ name: String, of endpoints: [String] = endpoints, _ check: @escaping Check) {
        entries.withLock { $0.append(Entry(name: name, endpoints: endpoints, isHealthy: check)) }
    }

    private func entries(of endpoint: String) -> [Entry] { entries.withLock { $0 }.filter { $0.endpoints.contains(endpoint) } }

    /// The paths of single checks, e.g. `/readyz/ping`.
    var paths: [String] { Self.endpoints.flatMap { endpoint in entries(of: endpoint).map { "/\(endpoint)/\($0.name)" } } }

    /// - Parameter segments: the path, e.g. `["readyz", "etcd"]`.
    func respond(_ segments: [String], _ query: Query) -> Response {
        let entries = entries(of: segments[0])
        var response: Response
        if segments.count == 1 {
            response = respond(segments[0], entries, query)
        } else {
            let name = segments.dropFirst().joined(separator: "/")
            guard let entry = entries.first(where: { $0.name == name }) else { return .text("404 page not found\n", status: .notFound) }
            response = entry.isHealthy() ? .text("ok") : .text("internal server error: \(name) is not ready\n", status: .internalServerError)
        }
        response.headers.add(name: "X-Content-Type-Options", value: "nosniff")
        response.headers.add(name: "Cache-Control", value: "no-cache, private")
        return response
    }

    private func respond(_ endpoint: String, _ entries: [Entry], _ query: Query) -> Response {
        var excluded = Set(query.values("exclude"))
        var lines = ""
        var isHealthy = true
        for entry in entries {
            if excluded.remove(entry.name) != nil {
                lines += "[+]\(entry.name) excluded: ok\n"
            } else if entry.isHealthy() {
                lines += "[+]\(entry.name) ok\n"
            } else {
                isHealthy = false
                lines += "[-]\(entry.name) failed: reason withheld\n"
            }
        }
        if !excluded.isEmpty {
            let names = excluded.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
            lines += "warn: some health checks cannot be excluded: no matches for \(names)\n"
        }
        guard isHealthy else { return .text("\(lines)\(endpoint) check failed\n", status: .internalServerError) }
        return .text(query["verbose"] == nil ? "ok" : "\(lines)\(endpoint) check passed\n")
    }

    /// `kubernetes_healthcheck` of `/metrics/slis`.
    var family: MetricFamily {
        let samples = Self.endpoints.flatMap { endpoint in
            entries(of: endpoint).map { MetricFamily.Sample($0.isHealthy() ? 1 : 0, labels: [("name", $0.name), ("type", endpoint)]) }
        }
        return MetricFamily("kubernetes_healthcheck", .gauge, help: "Whether a check passes.", samples)
    }
}
