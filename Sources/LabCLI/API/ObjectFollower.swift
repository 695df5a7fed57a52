import KubeModel

/// Which objects to follow.
struct ObjectQuery: Sendable {
    var resource: APIResource
    /// `nil`: all namespaces, or a kind without any.
    var namespace: String?
    var labelSelector = ""
    var fieldSelector = ""

    /// One object by its name.
    static func named(_ name: String, _ resource: APIResource, _ namespace: String?) -> ObjectQuery {
        ObjectQuery(resource: resource, namespace: namespace, fieldSelector: "metadata.name=\(name)")
    }

    var parameters: [(String, String)] {
        var parameters: [(String, String)] = []
        if !labelSelector.isEmpty { parameters.append(("labelSelector", labelSelector)) }
        if !fieldSelector.isEmpty { parameters.append(("fieldSelector", fieldSelector)) }
        return parameters
    }
}

/// What a follower tells.
enum ObjectEvent: Sendable {
    /// All objects as they are now: at the beginning, and when changes were missed.
    case all([JSON])
    case changed(JSON)
    case deleted(JSON)
    /// The lab does not answer; it is tried again.
    case away
}

extension APIClient {
    /// How long a lab may be away, for example while it is started anew, before following gives up.
    private static let patience = Duration.seconds(120)

    /// Lists the objects and tells each change from then on, over closed connections and restarts of the lab, until the
    /// handler returns false.
    func follow(_ query: ObjectQuery, _ handle: (ObjectEvent) async throws -> Bool) async throws {
        var awaySince: ContinuousClock.Instant?
        var pause = Duration.milliseconds(100)
        var version = ""
        while true {
            do {
                if version.isEmpty {
                    let list = try await request(.GET, query.resource.path(namespace: query.namespace), query: query.parameters)
                    version = list["metadata"]["resourceVersion"].stringValue ?? "0"
                    awaySince = nil
                    pause = .milliseconds(100)
                    if try await !handle(.all(list["items"].elements.map { query.typed($0) })) { return }
                }
                let ended = try await watch(query, from: &version) {
                    awaySince = nil
                    pause = .milliseconds(100)
                } handle: {
                    try await handle($0)
                }
                if ended { return }
            } catch let error as CommandError where error.reason == Self.away || error.reason == "ServiceUnavailable" {
                let since = awaySince ?? .now
                awaySince = since
                if ContinuousClock.now - since > Self.patience { throw error }
                if try await !handle(.away) { return }
                try await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(2))
            }
        }
    }

    /// - Returns: whether the handler has had enough; false when the connection ended and a new one is needed.
    private func watch(
        _ query: ObjectQuery, from version: inout String, opened: () -> Void, handle: (ObjectEvent) async throws -> Bool
    ) async throws -> Bool {
        let parameters = query.parameters + [("watch", "true"), ("resourceVersion", version), ("allowWatchBookmarks", "true")]
        let body: LineReader.Source
        do {
            body = try await stream(query.resource.path(namespace: query.namespace), query: parameters)
        } catch let error as CommandError where error.reason == "Expired" || error.reason == "Gone" {
            version = ""
            return false
        }
        opened()
        var lines = LineReader(body)
        while true {
            let line: ArraySlice<UInt8>?
            do { line = try await lines.next() } catch is CancellationError { throw CancellationError() } catch { return false }
            guard let line else { return false }
            guard let event = try? JSONParser.parse(line) else { continue }
            let object = event["object"]
            let type = event["type"].stringValue ?? ""
            if type == "ERROR" {
                version = ""
                return false
            }
            if let revision = object["metadata"]["resourceVersion"].stringValue { version = revision }
            if type == "BOOKMARK" { continue }
            if try await !handle(type == "DELETED" ? .deleted(query.typed(object)) : .changed(query.typed(object))) { return true }
        }
    }

    /// Waits for the first state of one object that the test accepts.
    /// - Parameter test: gets `nil` when the object is not there.
    func wait(for query: ObjectQuery, until test: (JSON?) throws -> Bool) async throws {
        try await follow(query) { event in
            switch event {
            case .all(let objects): try !test(objects.first)
            case .changed(let object): try !test(object)
            case .deleted: try !test(nil)
            case .away: true
            }
        }
    }
}

extension ObjectQuery {
    /// Elements of a list lack their kind.
    func typed(_ object: JSON) -> JSON {
        guard object["kind"].isNull else { return object }
        var typed: JSON = ["apiVersion": .string(resource.apiVersion), "kind": .string(resource.kind)]
        for (key, value) in object.members { typed[key] = value }
        return typed
    }
}
