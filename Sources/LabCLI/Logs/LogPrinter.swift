import KubeModel

/// Prints the logs of a target's pods, of all of them at once where they are followed.
struct LogPrinter: Sendable {
    let client: APIClient
    let target: LogTarget
    let options: LogOptions

    func run() async throws {
        if options.follows, try await !hasEnded() { try await followAll() } else { try await printAll() }
    }

    /// Of an owner that has ended nothing more comes: what is kept of its pods is all there is.
    private func hasEnded() async throws -> Bool {
        guard let owner = target.owner, target.ownerKind == "Trial" || target.ownerKind == "Experiment" else { return false }
        let list = try await client.request(.GET, owner.resource.path(namespace: owner.namespace), query: owner.parameters)
        return list["items"].elements.first.map { Completion.of($0).hasEnded } ?? false
    }

    // MARK: Once

    private func printAll() async throws {
        let path = target.pods.resource.path(namespace: target.namespace)
        let list = try await client.request(.GET, path, query: target.pods.parameters)
        let pods = list["items"].elements.sorted { Self.age($0) < Self.age($1) }.map(PodView.init)
        if let owner = target.owner {
            let present = Set(list["items"].elements.compactMap { $0["metadata"]["labels"]["katib.kubeflow.org/trial"].stringValue })
            let kept = KeptTrialLogs(client: client, options: options)
            if try await kept.printAll(of: owner, kind: target.ownerKind, except: present), pods.isEmpty { return }
        }
        if pods.isEmpty { throw CommandError("no pod of '\(describe)' is there: none was made yet, or they were deleted") }
        let streams = try pods.flatMap { pod throws(CommandError) in try containers(of: pod).map { (pod, $0) } }
        var shown = 0
        for (pod, container) in streams {
            // With one stream the API's own message says why there is nothing.
            if streams.count > 1, !pod.started.contains(container) { continue }
            try await print(pod, container, prefix: prefix(pod, container, isAlone: streams.count == 1))
            shown += 1
        }
        if shown == 0 { throw CommandError("no container of '\(describe)' has started yet: 'lab logs -f' waits for them") }
    }

    private static func age(_ pod: JSON) -> String {
        (pod["status"]["startTime"].stringValue ?? "9") + (pod["metadata"]["creationTimestamp"].stringValue ?? "")
    }

    private var describe: String {
        switch target.selection {
        case .pod(let name): "pod/\(name)"
        case .labels(let selector): selector.split(separator: "=").last.map { "\(target.ownerKind.lowercased())/\($0)" } ?? selector
        }
    }

    private func containers(of pod: PodView) throws(CommandError) -> [String] {
        if options.allContainers { return pod.initContainers + pod.containers }
        guard let wanted = options.container else { return [pod.mainContainer] }
        // Katib's collector is no container here; its log is the whole of the trial's.
        let known = pod.initContainers + pod.containers
        guard known.contains(wanted) || wanted == "metrics-logger-and-collector" else {
            throw CommandError("pod \(pod.name) has no container '\(wanted)': it has \(known.joined(separator: ", "))")
        }
        return [wanted]
    }

    private func prefix(_ pod: PodView, _ container: String, isAlone: Bool) -> String {
        if isAlone, !options.alwaysPrefixes { return "" }
        let several = options.allContainers && pod.containers.count + pod.initContainers.count > 1
        return Palette.current.faint("[\(pod.label)\(several ? "/\(container)" : "")] ")
    }

    private func print(_ pod: PodView, _ container: String, prefix: String) async throws {
        let path = target.pods.resource.path(namespace: target.namespace, name: pod.name, subresource: "log")
        let body = try await client.stream(path, query: options.parameters + [("container", container)], accept: "*/*")
        if prefix.isEmpty {
            for try await piece in body { Output.bytes(piece.readableBytesView) }
            return
        }
        let mark = Array(prefix.utf8)
        var lines = LineReader(body)
        while let line = try await lines.next() { Output.bytes(mark + line + [0x0A]) }
    }

    // MARK: Following

    /// Streams each container's log from its start; ends when the target has ended and all logs are out.
    private func followAll() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var begun: Set<String> = []
            let isAlone = if case .pod = target.selection { true } else { false }
            let (stream, continuation) = AsyncStream.makeStream(of: FollowSignal.self)
            let pump = SignalPump(client: client, target: target, continuation: continuation)
            group.addTask { try await pump.run() }
            var ended = false
            for await signal in stream {
                switch signal {
                case .pod(let pod):
                    for container in try containers(of: pod)
                    where pod.started.contains(container) || (pod.hasEnded && !pod.containers.contains(container)) {
                        guard begun.insert("\(pod.uid)/\(container)").inserted else { continue }
                        let mark = prefix(pod, container, isAlone: isAlone && !options.allContainers)
                        group.addTask { try await print(pod, container, prefix: mark) }
                    }
                case .ended: ended = true
                }
                if ended { break }
            }
            continuation.finish()
            try await group.waitForAll()
        }
    }
}

enum FollowSignal: Sendable {
    case pod(PodView)
    /// Nothing more will come.
    case ended
}

/// Watches the target's pods and, where there is one, the object that has them.
private struct SignalPump: Sendable {
    let client: APIClient
    let target: LogTarget
    let continuation: AsyncStream<FollowSignal>.Continuation

    func run() async throws {
        defer { continuation.finish() }
        guard let owner = target.owner else { return try await followPods { $0.hasEnded } }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await followPods { _ in false }
                return false
            }
            group.addTask {
                try await client.wait(for: owner) { $0.map(Completion.of)?.hasEnded ?? true }
                return true
            }
            while let ownerEnded = try await group.next() {
                if ownerEnded { break }
            }
            group.cancelAll()
        }
        // What started at the very end may not have been seen by the watch.
        let list = try await client.request(.GET, target.pods.resource.path(namespace: target.namespace), query: target.pods.parameters)
        for pod in list["items"].elements { continuation.yield(.pod(PodView(pod))) }
        continuation.yield(.ended)
    }

    private func followPods(until isLast: @Sendable (PodView) -> Bool) async throws {
        var seen = false
        try await client.follow(target.pods) { event in
            switch event {
            case .all(let pods):
                for pod in pods { continuation.yield(.pod(PodView(pod))) }
                if pods.contains(where: { isLast(PodView($0)) }) {
                    continuation.yield(.ended)
                    return false
                }
                if pods.isEmpty, seen, case .pod = target.selection { return false }
                seen = seen || !pods.isEmpty
                return true
            case .changed(let pod):
                let view = PodView(pod)
                continuation.yield(.pod(view))
                if isLast(view) {
                    continuation.yield(.ended)
                    return false
                }
                return true
            case .deleted:
                guard case .pod = target.selection else { return true }
                continuation.yield(.ended)
                return false
            case .away: return true
            }
        }
    }
}
