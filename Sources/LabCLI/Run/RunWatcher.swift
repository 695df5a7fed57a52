import KubeModel

/// How a run is shown.
enum RunDisplay: Sendable { case live, lines, json }

/// Follows one object until it has run to its end and shows what happens.
struct RunWatcher {
    let client: APIClient
    let query: ObjectQuery
    let display: RunDisplay
    let environment: [String: String]

    private enum Signal: Sendable {
        case main(ObjectEvent)
        case related(ObjectEvent)
        case tick
        case failed(CommandError)
    }

    /// - Returns: the model as it was at the end.
    func run<Model: ProgressModel>(_ model: Model) async throws -> Model {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let (signals, continuation) = AsyncStream.makeStream(of: Signal.self)
            group.addTask { try await pump(query, continuation) { .main($0) } }
            for related in model.followed { group.addTask { try await pump(related, continuation) { .related($0) } } }
            // Only a clock that a person looks at has to go on without news.
            if display == .live { group.addTask { try await tick(continuation) } }
            defer { group.cancelAll() }
            var screen = LiveScreen()
            defer { if display == .live { screen.clear() } }
            var model = model
            var last: JSON = .null
            for await signal in signals {
                if try apply(signal, to: &model, &last, &screen) { break }
            }
            return try await settled(model)
        }
    }

    private func pump(
        _ query: ObjectQuery, _ continuation: AsyncStream<Signal>.Continuation, _ wrap: @Sendable @escaping (ObjectEvent) -> Signal
    ) async throws {
        do {
            try await client.follow(query) { event in
                continuation.yield(wrap(event))
                return true
            }
        } catch is CancellationError {
        } catch {
            continuation.yield(.failed(error as? CommandError ?? CommandError(CommandError.describe(error))))
        }
    }

    private func tick(_ continuation: AsyncStream<Signal>.Continuation) async throws {
        while !Task.isCancelled {
            try await Task.sleep(for: .milliseconds(500))
            continuation.yield(.tick)
        }
    }

    /// - Returns: whether the run has ended.
    private func apply<Model: ProgressModel>(_ signal: Signal, to model: inout Model, _ last: inout JSON, _ screen: inout LiveScreen) throws
        -> Bool
    {
        var lines: [String] = []
        switch signal {
        case .failed(let error): throw error
        case .tick: break
        case .main(.all(let objects)):
            guard let object = objects.first else { throw CommandError("the object was deleted while it ran") }
            lines = model.update(main: object)
        case .main(.changed(let object)): lines = model.update(main: object)
        case .main(.deleted): throw CommandError("the object was deleted while it ran")
        case .related(.all(let objects)): lines = objects.flatMap { model.update(related: $0, isGone: false) }
        case .related(.changed(let object)): lines = model.update(related: object, isGone: false)
        case .related(.deleted(let object)): lines = model.update(related: object, isGone: true)
        case .main(.away): lines = ["the lab does not answer; waiting for it"]
        case .related(.away): break
        }
        show(lines, model, &last, &screen)
        return model.completion.hasEnded
    }

    private func show<Model: ProgressModel>(_ lines: [String], _ model: Model, _ last: inout JSON, _ screen: inout LiveScreen) {
        let now = Clock.now
        switch display {
        case .lines: for line in lines { Output.line(line) }
        case .live:
            let size = LiveScreen.size(environment)
            screen.draw(model.frame(now: now, width: size.width, palette: .current), rows: size.height)
        case .json:
            var state = model.json(now: now)
            // Times pass without a change of state.
            let times = ["elapsedSeconds", "expectedSeconds"].map { ($0, state.remove($0)) }
            if state == last { return }
            last = state
            for (key, value) in times { if let value { state[key] = value } }
            state["time"] = .string(now.description)
            Output.line(state.text)
        }
    }

    /// What belongs to the object may have changed with it, behind its last event: read once more.
    private func settled<Model: ProgressModel>(_ model: Model) async throws -> Model {
        var model = model
        for related in model.followed {
            let list = try await client.request(.GET, related.resource.path(namespace: related.namespace), query: related.parameters)
            for object in list["items"].elements { _ = model.update(related: related.typed(object), isGone: false) }
        }
        return model
    }
}
