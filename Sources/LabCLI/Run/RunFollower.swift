import KubeModel

/// Follows what was started to its end, and says at an experiment's end what came of it.
struct RunFollower {
    /// One JSON object a line for each change of state.
    var json = false
    /// Where an experiment's picture is written; by default NAME.html here.
    var picture: String?
    var noPicture = false

    /// Shows one object until it has ended.
    /// - Throws: `CommandError` where it failed, or was deleted.
    func follow(_ run: WrittenObject, _ client: APIClient) async throws {
        let context = LabContext.current
        let display: RunDisplay = json ? .json : Output.isTerminal && Palette.allows(context.environment) ? .live : .lines
        let query = ObjectQuery.named(run.name, run.resource, run.namespace)
        let watcher = RunWatcher(client: client, query: query, display: display, environment: context.environment)
        let object = query.typed(run.object)
        let catalog = try await client.discover()
        let result: any ProgressModel
        switch run.resource.kind {
        case "Experiment":
            let progress = try await watcher.run(ExperimentProgress(object, trials: try catalog.find("trials.kubeflow.org")))
            result = progress
            try finish(progress)
        case "Workflow": result = try await watcher.run(WorkflowProgress(object))
        default: result = try await watcher.run(SimpleProgress(object, pods: try await pods(of: run, client)))
        }
        if !json, !(result is ExperimentProgress) {
            for line in result.summary(now: Clock.now, palette: .current) { Output.line(line) }
            next(run, result)
        }
        if result.completion.state == .failed {
            let message = result.completion.message.split(whereSeparator: \.isNewline).first.map { ": \($0)" } ?? ""
            throw CommandError("\(run.resource.singular) \(run.name) failed\(message)")
        }
    }

    private func pods(of run: WrittenObject, _ client: APIClient) async throws -> ObjectQuery? {
        guard run.resource.kind != "Pod", let namespace = run.namespace else { return nil }
        return try? await LogTarget.find("\(run.resource.qualifiedPlural)/\(run.name)", namespace: namespace, client).pods
    }

    private func next(_ run: WrittenObject, _ result: any ProgressModel) {
        let command = LabContext.current.command
        let space = run.namespace.map { " -n \($0)" } ?? ""
        if run.resource.kind == "Notebook", result.completion.state == .succeeded {
            Output.line("Open it with: \(command) open \(run.name)\(space)")
        } else {
            Output.line("What it printed: \(command) logs \(run.resource.singular)/\(run.name)\(space)")
        }
    }

    // MARK: An experiment's end

    private func finish(_ progress: ExperimentProgress) throws {
        let path = noPicture ? nil : picture ?? "\(progress.name).html"
        if let path { try SmallFile.write(ExperimentPicture(progress, now: Clock.now).html, to: path, mode: 0o644) }
        if json { return }
        Output.line()
        for line in progress.summary(now: Clock.now, palette: .current) { Output.line(line) }
        if let path {
            Output.line("Picture of all trials: \(path.hasPrefix("/") ? path : "\(LabContext.current.currentDirectory)/\(path)")")
        }
        Output.line()
        Output.line("What to try next:")
        for line in NextSteps(progress: progress, command: LabContext.current.command).lines { Output.line("  • \(line)") }
    }
}
