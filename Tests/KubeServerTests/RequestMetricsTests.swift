import Synchronization
import Testing

@testable import KubeModel
@testable import KubeServer

@Suite("Metrics of the server") struct RequestMetricsTests {
    private func lines(_ client: some Client) async throws -> [String] {
        let answer = try await client.get("/metrics")
        #expect(answer.status == 200 && answer.headers.first(name: "content-type") == "text/plain; version=0.0.4; charset=utf-8")
        return answer.text.split(separator: "\n").map(String.init)
    }

    private func value(_ lines: [String], _ name: String, _ labels: String...) -> Double? {
        let found = lines.filter { line in line.hasPrefix(name + "{") && labels.allSatisfy { line.contains($0) } }
        return found.count == 1 ? found[0].split(separator: " ").last.flatMap { Double($0) } : nil
    }

    @Test func requestsAreCountedByWhatTheyAskFor() async throws {
        let lab = try await Lab()
        let client = lab.router
        let path = "/api/v1/namespaces/team/configmaps"
        let object: JSON = ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "a"]]
        #expect(try await client.send(.POST, "\(path)?dryRun=All", object).status == 201)
        #expect(try await client.send(.POST, path, object).status == 201)
        for _ in 0..<3 { _ = try await client.get("\(path)/a") }
        _ = try await client.get("\(path)/none")
        _ = try await client.get(path)
        _ = try await client.get("/api/v1/configmaps")
        _ = try await client.send(.PATCH, "\(path)/a?fieldManager=me&force=true", object, type: "application/apply-patch+yaml")
        _ = try await client.get("\(path)?watch=1&timeoutSeconds=1")
        _ = try await client.get("/readyz")
        let lines = try await lines(client)
        func count(_ labels: String...) -> Double? {
            let found = lines.filter { line in line.hasPrefix("apiserver_request_total{") && labels.allSatisfy { line.contains($0) } }
            return found.count == 1 ? found[0].split(separator: " ").last.flatMap { Double($0) } : nil
        }
        let resource = "resource=\"configmaps\""
        #expect(count(resource, "verb=\"POST\"", "dry_run=\"All\"", "code=\"201\"", "scope=\"resource\"") == 1)
        #expect(count(resource, "verb=\"POST\"", "dry_run=\"\"", "version=\"v1\"") == 1)
        #expect(count(resource, "verb=\"GET\"", "code=\"200\"") == 3 && count(resource, "verb=\"GET\"", "code=\"404\"") == 1)
        #expect(count(resource, "verb=\"LIST\"", "scope=\"namespace\"") == 1 && count(resource, "verb=\"LIST\"", "scope=\"cluster\"") == 1)
        #expect(count(resource, "verb=\"APPLY\"") == 1 && count(resource, "verb=\"WATCH\"") == 1)
        #expect(count("subresource=\"/readyz\"", "component=\"apiserver\"") == 1)
        #expect(value(lines, "apiserver_request_duration_seconds_count", resource, "verb=\"GET\"") == 4)
        #expect(value(lines, "apiserver_request_duration_seconds_bucket", resource, "verb=\"GET\"", "le=\"+Inf\"") == 4)
        #expect(value(lines, "apiserver_storage_objects", resource) == 1)
        // The look itself is under way.
        #expect(value(lines, "apiserver_current_inflight_requests", "readOnly") == 1 && value(lines, "apiserver_current_inflight_requests", "mutating") == 0)
        #expect(!lines.contains { $0.hasPrefix("apiserver_longrunning_requests{") })
    }

    @Test func madeUpNamesAreNoLabels() async throws {
        let client = try await Lab().router
        for index in 0..<50 {
            for path in ["/apis/g\(index)/v1/things", "/api/v1/pods\(index)", "/api/v1/namespaces/team/pods/a/part\(index)", "/x\(index)", "/apis/g\(index)"] {
                _ = try await client.get(path)
            }
        }
        let lines = try await lines(client)
        #expect(lines.filter { $0.hasPrefix("apiserver_request_total{") }.count <= 5)
        #expect(!lines.contains { $0.contains("g1") || $0.contains("part1") })
    }

    @Test func openWatchesAreCountedUntilTheyEnd() async throws {
        let lab = try await Lab()
        let watch = Task { try await lab.router.get("/api/v1/namespaces/team/configmaps?watch=1&timeoutSeconds=30") }
        var seen: Double?
        while seen == nil { seen = value(try await lines(lab.router), "apiserver_longrunning_requests", "verb=\"WATCH\"", "resource=\"configmaps\"") }
        #expect(seen == 1)
        watch.cancel()
        _ = try? await watch.value
        #expect(!(try await lines(lab.router)).contains { $0.hasPrefix("apiserver_longrunning_requests{") })
    }

    @Test func manyThreadsMakeOneSeriesALabelSet() async throws {
        let table = SeriesTable()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for index in 0..<10_000 {
                        let labels = RequestLabels(verb: "GET", resource: "r\(index % 500)")
                        (table.find(labels) ?? table.insert(labels)).count(code: index % 2 == 0 ? 200 : 999, took: .milliseconds(index % 100))
                    }
                }
            }
        }
        #expect(table.all.count == 501)
        let one = try #require(table.find(RequestLabels(verb: "GET", resource: "r7")))
        #expect(one.byCode[RequestSeries.codes.firstIndex(of: 500)!] == 160 && (0..<one.byTime.count).reduce(0) { $0 + one.byTime[$1] } == 160)
        // A table that is full counts on, elsewhere.
        for index in 0..<5000 { table.insert(RequestLabels(verb: "other", resource: "x\(index)")).count(code: 200, took: .zero) }
        #expect(table.all.count < 4096 && table.overflow.byCode[0] > 0)
    }

    @Test func textIsEscaped() {
        let family = MetricFamily("a", .gauge, help: "one\\two\nthree \"four\"", [.init(0.5, labels: [("l", "x\"y\\z\n")]), .init(.infinity), .init(3)])
        #expect(MetricsText.text([family]) == "# HELP a one\\\\two\\nthree \"four\"\n# TYPE a gauge\na{l=\"x\\\"y\\\\z\\n\"} 0.5\na +Inf\na 3\n")
        #expect(MetricsText.text([MetricFamily("a", .counter, help: "", [])]).isEmpty)
    }

    @Test func onlyWhoMayLooks() async throws {
        struct Somebody: Authenticator {
            func authenticate(_ credentials: Credentials) async -> User? { User(name: "ann", groups: [User.authenticated]) }
        }
        let client = try await Lab(authenticator: Somebody()).router
        for path in ["/metrics", "/metrics/slis", "/readyz/ping", "/livez/etcd"] { #expect(try await client.get(path).status == 403, "\(path)") }
        #expect(try await client.get("/readyz").status == 200)
    }
}

@Suite("Health checks") struct HealthTests {
    @Test func areToldAsUpstreamTellsThem() async throws {
        let lab = try await Lab()
        let client = lab.router
        let isHealthy = Mutex(true)
        lab.server.addHealthCheck("etcd") { isHealthy.withLock { $0 } }
        #expect(try await client.get("/readyz").text == "ok")
        #expect(try await client.get("/readyz?verbose").text == "[+]ping ok\n[+]shutdown ok\n[+]etcd ok\nreadyz check passed\n")
        #expect(try await client.get("/livez?verbose&exclude=etcd").text == "[+]ping ok\n[+]etcd excluded: ok\nlivez check passed\n")
        let odd = "[+]ping ok\n[+]etcd ok\nwarn: some health checks cannot be excluded: no matches for \"a\", \"b\"\nhealthz check passed\n"
        #expect(try await client.get("/healthz?verbose&exclude=b&exclude=a").text == odd)
        #expect(try await client.get("/livez/etcd").text == "ok")
        #expect(try await client.get("/livez/shutdown").status == 404)
        isHealthy.withLock { $0 = false }
        let failed = try await client.get("/livez")
        #expect(failed.status == 500 && failed.text == "[+]ping ok\n[-]etcd failed: reason withheld\nlivez check failed\n")
        #expect(failed.headers.first(name: "x-content-type-options") == "nosniff")
        #expect(try await client.get("/readyz?exclude=etcd").text == "ok")
        #expect(try await client.get("/livez/etcd").status == 500)
        #expect(try await client.get("/metrics/slis").text.contains("kubernetes_healthcheck{name=\"etcd\",type=\"livez\"} 0\n"))
        lab.server.shutDown()
        #expect(try await client.get("/readyz?verbose").text.contains("[-]shutdown failed"))
        #expect(try await client.get("/").json["paths"].elements.contains("/readyz/etcd"))
    }
}
