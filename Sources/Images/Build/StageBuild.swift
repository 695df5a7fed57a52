import KubeModel

/// A stage as far as it is built.
struct StageState {
    let base: BuildBase
    var configuration: BuildConfiguration
    var layers: [BuildLayer]
    var history: [JSON]
    /// ARGs in scope.
    var arguments: [Dockerfile.Pair] = []

    init(_ base: BuildBase) {
        self.base = base
        configuration = base.configuration
        layers = base.layers
        history = base.history
    }

    /// What the next layer lies on: a chain, or what stands in place of one.
    var parent: String? { layers.last?.chain ?? base.identity }

    /// The layers' directories, topmost first.
    func directories(_ content: ImageContent) -> [String] { layers.reversed().compactMap { content.layer($0.chain) } }

    func stack(_ content: ImageContent) -> LayerStack {
        LayerStack(
            layers: directories(content) + base.lower,
            mounts: base.mounts.filter { FileSystem.isDirectory($0.source) }.map { (LayerPath.parts($0.target), $0.source) })
    }

    /// A variable as instructions see it: ENV goes before ARG.
    func value(_ name: String) -> String? {
        configuration.value(name) ?? arguments.first { $0.name == name }?.value
    }

    mutating func add(_ result: BuildCache.Result, made text: String, at time: String) {
        var entry: JSON = ["created": .string(time), "created_by": .string(text), "comment": "lab image build"]
        switch result {
        case .nothing: entry["empty_layer"] = true
        case .layer(let layer): layers.append(layer)
        }
        history.append(entry)
    }
}

/// Where a step of a Dockerfile stands, for its errors.
struct StepPlace {
    let file: String
    let line: Int

    func failure(_ reason: String, status: Int32 = 1) -> ImageError { .build(file: file, line: line, reason: reason, status: status) }

    /// Runs what may fail, and tells at which line.
    func telling<Result>(_ body: () throws -> Result) throws(ImageError) -> Result {
        do { return try body() } catch let problem as CopyLayer.Problem { throw failure(problem.reason) } catch let problem as WordExpansion.Problem {
            throw failure(problem.reason)
        } catch let error as ImageError {
            if case .build = error { throw error }
            throw failure("\(error)")
        } catch { throw failure("\(error)") }
    }
}
