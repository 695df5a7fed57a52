import KubeModel

/// A Workflow as the tree of its steps.
struct WorkflowProgress: ProgressModel {
    let followed: [ObjectQuery] = []
    private(set) var workflow: JSON
    private var phases: [String: String] = [:]

    init(_ workflow: JSON) { self.workflow = workflow }

    var name: String { workflow["metadata"]["name"].stringValue ?? "" }
    var completion: Completion { Completion.of(workflow) }

    mutating func update(main: JSON) -> [String] {
        let before = completion
        workflow = main
        var lines: [String] = []
        for node in steps {
            let phase = node.phase
            if phases[node.id] == phase { continue }
            phases[node.id] = phase
            // The whole has lines of its own.
            if node.id == name || node.isSilent || phase == "Pending" || phase.isEmpty { continue }
            let why = node.message.isEmpty ? "" : ": \(node.message)"
            lines.append("step \(node.displayName) \(phase.lowercased())\(why)")
        }
        if completion.state != before.state, completion.state == .running { lines.insert("workflow \(name) is running", at: 0) }
        return lines
    }

    mutating func update(related: JSON, isGone: Bool) -> [String] { [] }

    // MARK: Nodes

    struct Node: Sendable {
        let id: String
        let displayName: String
        let type: String
        let phase: String
        let message: String
        let boundary: String
        let children: [String]
        let started: Timestamp?
        let finished: Timestamp?

        init(_ id: String, _ node: JSON) {
            self.id = id
            displayName = node["displayName"].stringValue ?? node["name"].stringValue ?? id
            type = node["type"].stringValue ?? ""
            phase = node["phase"].stringValue ?? ""
            message = (node["message"].stringValue ?? "").split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
            boundary = node["boundaryID"].stringValue ?? ""
            children = node["children"].elements.compactMap(\.stringValue)
            started = node["startedAt"].stringValue.flatMap(Timestamp.init(parsing:))
            finished = node["finishedAt"].stringValue.flatMap(Timestamp.init(parsing:))
        }

        /// Nodes that only hold others together.
        var isSilent: Bool { type == "StepGroup" || type == "TaskGroup" }

        var state: Completion.State {
            switch phase {
            case "Succeeded": .succeeded
            case "Failed", "Error": .failed
            case "Running": .running
            default: .waiting
            }
        }
    }

    /// In the order in which they run: by their start, and where the API's whole seconds do not tell, as one leads to the next.
    var steps: [Node] {
        let nodes = workflow["status"]["nodes"].members.map { Node($0.key, $0.value) }
        let depths = Self.depths(nodes)
        return nodes.sorted { left, right in
            let a = left.started?.secondsSince1970 ?? .infinity
            let b = right.started?.secondsSince1970 ?? .infinity
            if a != b { return a < b }
            let (c, d) = (depths[left.id] ?? 0, depths[right.id] ?? 0)
            return c == d ? left.displayName < right.displayName : c < d
        }
    }

    /// How many nodes lead to each one, on the longest way.
    private static func depths(_ nodes: [Node]) -> [String: Int] {
        var waiting: [String: Int] = [:]
        for node in nodes { for child in node.children { waiting[child, default: 0] += 1 } }
        let children = Dictionary(nodes.map { ($0.id, $0.children) }, uniquingKeysWith: { first, _ in first })
        var depths: [String: Int] = [:]
        var ready = nodes.map(\.id).filter { waiting[$0] == nil }
        while let id = ready.popLast() {
            for child in children[id] ?? [] {
                depths[child] = max(depths[child] ?? 0, (depths[id] ?? 0) + 1)
                waiting[child, default: 1] -= 1
                if waiting[child] == 0 { ready.append(child) }
            }
        }
        return depths
    }

    // MARK: Views

    func frame(now: Timestamp, width: Int, palette: Palette) -> [String] {
        var lines = [heading(now, palette)]
        let nodes = steps
        var parents: [String: String] = [:]
        let silent = Set(nodes.filter(\.isSilent).map(\.id))
        for node in nodes where !node.isSilent { parents[node.id] = node.boundary }
        // Attempts hang below what retries them, although both lie in the same template.
        for node in nodes where node.type == "Retry" {
            for child in node.children where !silent.contains(child) { parents[child] = node.id }
        }
        var children: [String: [Node]] = [:]
        for node in nodes where !node.isSilent { children[parents[node.id] ?? "", default: []].append(node) }
        let root = nodes.first { $0.id == name }
        for node in root.map({ [$0] }) ?? children[""] ?? [] { append(node, "", "", children, now, width, palette, &lines) }
        return lines
    }

    private func append(
        _ node: Node, _ lead: String, _ branch: String, _ children: [String: [Node]], _ now: Timestamp, _ width: Int, _ palette: Palette,
        _ lines: inout [String]
    ) {
        let took = node.started.map { ClockText.short((node.finished ?? now) - $0) } ?? ""
        var text = node.displayName
        if !took.isEmpty, node.type != "Skipped" { text += "  \(palette.faint(took))" }
        if node.phase == "Skipped" || node.phase == "Omitted" { text = palette.faint("\(node.displayName)  \(node.phase.lowercased())") }
        if !node.message.isEmpty {
            let room = width - DisplayWidth.of(lead + branch + node.displayName) - 14
            let message = DisplayWidth.fit(node.message, max(room, 12))
            text += "  " + (node.state == .failed ? palette.bad(message) : palette.warn(message))
        }
        lines.append("  " + palette.faint(lead + branch) + Self.mark(node.state, palette) + " " + text)
        // A node that is its own boundary would never end.
        let below = (children[node.id] ?? []).filter { $0.id != node.id }
        let next = lead + (branch.isEmpty ? "" : branch.hasPrefix("├") ? "│  " : "   ")
        for (index, child) in below.enumerated() where lead.count < 60 {
            append(child, next, index == below.count - 1 ? "└─ " : "├─ ", children, now, width, palette, &lines)
        }
    }

    private func heading(_ now: Timestamp, _ palette: Palette) -> String {
        let progress = workflow["status"]["progress"].stringValue.map { "  \($0)" } ?? ""
        return Self.mark(completion.state, palette) + " " + palette.bold("workflow \(name)")
            + "  \((workflow["status"]["phase"].stringValue ?? "Pending").lowercased())\(progress)"
            + palette.faint(elapsed(now).map { "  \(ClockText.short($0))" } ?? "")
    }

    private func elapsed(_ now: Timestamp) -> Duration? {
        let start = workflow["status"]["startedAt"].stringValue.flatMap(Timestamp.init(parsing:))
        let end = workflow["status"]["finishedAt"].stringValue.flatMap(Timestamp.init(parsing:))
        return start.map { (end ?? now) - $0 }
    }

    func json(now: Timestamp) -> JSON {
        let steps = steps.filter { !$0.isSilent }.map { node -> JSON in
            ["step": .string(node.displayName), "type": .string(node.type), "phase": .string(node.phase), "message": .string(node.message)]
        }
        return [
            "kind": "Workflow", "namespace": workflow["metadata"]["namespace"], "name": .string(name),
            "state": .string(completion.state.rawValue),
            "message": .string(completion.message), "steps": .array(steps),
        ]
    }

    func summary(now: Timestamp, palette: Palette) -> [String] {
        let took = elapsed(now).map { " after \(ClockText.short($0))" } ?? ""
        let word = completion.state == .succeeded ? palette.good("succeeded") : palette.bad("failed")
        return frame(now: now, width: 100, palette: palette)
            + ["", "The workflow \(word)\(took)\(completion.message.isEmpty ? "." : ": \(completion.message)")"]
    }
}
