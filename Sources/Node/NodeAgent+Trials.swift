import Catalogue
import Glibc
import KubeModel

/// What the node does for collectors of a trial's metrics.
extension NodeAgent {
    /// Time between two questions, time for one answer, and its greatest size.
    private static let scrapeInterval = Duration.milliseconds(500)
    private static let scrapeTimeout = Duration.seconds(5)
    private static let pageLimit = 8 << 20

    /// A page that a pod serves.
    public struct Page: Sendable {
        public var port: Int
        public var path: String
        public var isSecure: Bool
        public var headers: [(name: String, value: String)]

        public init(port: Int, path: String, isSecure: Bool, headers: [(name: String, value: String)]) {
            self.port = port
            self.path = path
            self.isSecure = isSecure
            self.headers = headers
        }
    }

    /// Asks a pod for a page again and again, at its own address and nowhere else, until one of its containers has ended.
    /// - Parameter body: is given the time of the answer in RFC 3339, and the page.
    /// - Returns: why there was no answer; `nil` where one came.
    public func scrape(
        namespace: String, pod name: String, uid: String, container: String, _ page: Page, _ body: @Sendable (String, String) async throws -> Void
    ) async throws -> String? {
        let key = ObjectKey(.pods, namespace: namespace, name: name)
        let worker = kubelet.worker(for: key, uid: uid)
        let (news, feed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let end = EndSignal()
        let waiter = Task {
            await worker.waitForEnd(of: container)
            end.set()
            feed.yield()
        }
        let clock = Task {
            while !Task.isCancelled {
                feed.yield()
                try? await Task.sleep(for: Self.scrapeInterval)
            }
        }
        defer {
            waiter.cancel()
            clock.cancel()
        }
        var problem: String? = "the container \(container) ended before its pod was asked"
        var hasAnswered = false
        for await _ in news {
            if end.isSet { break }
            guard let pod = kubelet.context.catalogue.get(key), pod.uid == uid, let address = pod.status["podIP"].stringValue, !address.isEmpty else { continue }
            let target = HTTPTarget(
                isSecure: page.isSecure, host: address, port: page.port, path: page.path, headers: page.headers.map { .init(name: $0.name, value: $0.value) })
            switch await HTTPProbe(agent: "kindling", limit: Deadline(Self.scrapeTimeout)).page(target, limit: Self.pageLimit) {
            case .success(let text):
                hasAnswered = true
                try await body(kubelet.context.now.nano, text)
            case .failure(let found): problem = found.description
            }
        }
        try Task.checkCancellation()
        return hasAnswered ? nil : problem
    }

    /// Leaves a small file in a directory of a container's volume, if the directory lies on one. What lies there already under the
    /// name stays, whatever it is.
    public func leaveMark(namespace: String, pod name: String, uid: String, container: String, directory: String, name file: String, _ text: String) async {
        let worker = kubelet.worker(for: ObjectKey(.pods, namespace: namespace, name: name), uid: uid)
        guard case .success(let place) = await worker.volume(at: directory, of: container) else { return }
        let parent = open(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard parent >= 0 else { return }
        defer { close(parent) }
        // The container owns the directory: no link is followed, and nothing is opened that was there before.
        let descriptor = openat(parent, file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return }
        _ = text.withCString { write(descriptor, $0, strlen($0)) }
        close(descriptor)
    }
}
