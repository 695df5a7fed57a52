import KubeModel

/// A Job, Pod, Trial or Notebook: its state, and that of its pods.
struct SimpleProgress: ProgressModel {
    let followed: [ObjectQuery]
    private var object: JSON
    private var pods: [String: PodView] = [:]
    private var said = ""

    /// - Parameter pods: the query of the pods that belong to the object; nil for a pod itself.
    init(_ object: JSON, pods: ObjectQuery?) {
        self.object = object
        followed = pods.map { [$0] } ?? []
    }

    private var kind: String { object["kind"].stringValue ?? "" }
    private var name: String { object["metadata"]["name"].stringValue ?? "" }
    private var title: String { "\(kind.lowercased()) \(name)" }
    var completion: Completion { Completion.of(object) }

    mutating func update(main: JSON) -> [String] {
        object = main
        let text = stateText
        if text == said { return [] }
        said = text
        return [text]
    }

    private var stateText: String {
        let message = completion.message.split(whereSeparator: \.isNewline).first.map { ": \($0)" } ?? ""
        return "\(title) \(word)\(message)"
    }

    private var word: String {
        switch completion.state {
        case .waiting: "waits"
        case .running: "runs"
        case .succeeded: kind == "Notebook" ? "is ready" : "succeeded"
        case .failed: "failed"
        }
    }

    mutating func update(related: JSON, isGone: Bool) -> [String] {
        let view = PodView(related)
        if isGone {
            pods[view.name] = nil
            return []
        }
        let before = pods.updateValue(view, forKey: view.name)
        if before?.phase == view.phase, before?.reason == view.reason { return [] }
        return ["pod \(view.name) \(Self.text(of: view))"]
    }

    private static func text(of pod: PodView) -> String {
        let message = pod.message.split(whereSeparator: \.isNewline).first.map { ": \($0)" } ?? ""
        return pod.reason.isEmpty ? pod.phase.lowercased() : "\(pod.phase.lowercased()) (\(pod.reason)\(message))"
    }

    func frame(now: Timestamp, width: Int, palette: Palette) -> [String] {
        let start = object["status"]["startTime"].stringValue ?? object["metadata"]["creationTimestamp"].stringValue
        let end = object["status"]["completionTime"].stringValue.flatMap(Timestamp.init(parsing:))
        let age = start.flatMap(Timestamp.init(parsing:)).map { ClockText.short((end ?? now) - $0) } ?? ""
        var lines = [Self.mark(completion.state, palette) + " " + palette.bold(title) + "  \(word)  " + palette.faint(age)]
        if !completion.message.isEmpty, pods.isEmpty { lines.append("  " + palette.warn(DisplayWidth.fit(completion.message, width - 2))) }
        for pod in pods.values.sorted(by: { $0.name < $1.name }).suffix(12) {
            let state: Completion.State =
                pod.phase == "Succeeded" ? .succeeded : pod.phase == "Failed" ? .failed : pod.phase == "Running" ? .running : .waiting
            lines.append("  \(Self.mark(state, palette)) " + DisplayWidth.fit("\(pod.name)  \(Self.text(of: pod))", width - 4))
        }
        return lines
    }

    func json(now: Timestamp) -> JSON {
        [
            "kind": .string(kind), "namespace": object["metadata"]["namespace"], "name": .string(name),
            "state": .string(completion.state.rawValue),
            "message": .string(completion.message),
            "pods": .array(
                pods.values.sorted { $0.name < $1.name }
                    .map {
                        [
                            "name": .string($0.name), "phase": .string($0.phase), "reason": .string($0.reason),
                            "message": .string($0.message),
                        ]
                    }),
        ]
    }

    func summary(now: Timestamp, palette: Palette) -> [String] {
        let text = stateText
        return [completion.state == .failed ? palette.bad(text) : palette.good(text)]
    }
}
