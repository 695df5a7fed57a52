import Catalogue
import KubeModel
import NIOCore
import Registry
import Synchronization

/// `/metrics` and `/metrics/slis` in Prometheus' text format.
struct MetricsEndpoint: Sendable {
    /// Families of the parts of the daemon, asked for at each look.
    typealias Source = @Sendable () async -> [MetricFamily]

    /// Sources are added while the server is put together.
    final class Sources: Sendable {
        private let list = Mutex<[Source]>([])

        func add(_ source: @escaping Source) { list.withLock { $0.append(source) } }

        var all: [Source] { list.withLock { $0 } }
    }

    let registry: Registry
    let requests: RequestMetrics
    let health: HealthChecks
    let version: VersionInfo
    let sources: Sources

    func respond(_ request: Request, slis: Bool) async throws(APIStatus) -> Response {
        guard request.method == .GET || request.method == .HEAD else { throw .methodNotAllowed(request.method.rawValue) }
        var families = slis ? [health.family] : requests.families + ProcessMetrics.families + [storedObjects, build]
        if !slis { for source in sources.all { families += await source() } }
        return Response(type: MetricsText.type, bytes: ByteBuffer(string: MetricsText.text(families)))
    }

    private var storedObjects: MetricFamily {
        let samples = registry.catalogue.resources.sorted { $0.description < $1.description }.map { resource in
            MetricFamily.Sample(Double(registry.catalogue.count(resource)), labels: [("resource", resource.description)])
        }
        return MetricFamily("apiserver_storage_objects", .gauge, help: "Stored objects by kind.", samples)
    }

    private var build: MetricFamily {
        let json = version.json
        let labels = [("git_version", "gitVersion"), ("major", "major"), ("minor", "minor"), ("platform", "platform")].map {
            (name: $0.0, value: json[$0.1].stringValue ?? "")
        }
        return MetricFamily("kubernetes_build_info", .gauge, help: "Always 1; the labels tell the version.", [.init(1, labels: labels)])
    }
}
