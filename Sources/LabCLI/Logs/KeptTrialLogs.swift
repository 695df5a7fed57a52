import KubeModel
import LabDaemon

/// Logs of trials whose pods are gone, as the lab has kept them.
struct KeptTrialLogs {
    let client: APIClient
    let options: LogOptions

    /// Prints what is kept of a trial, or of all trials of an experiment that have no pods any more.
    ///
    /// - Parameter present: names of trials whose pods are still there.
    /// - Returns: whether there was anything.
    func printAll(of owner: ObjectQuery, kind: String, except present: Set<String>) async throws -> Bool {
        guard kind == "Trial" || kind == "Experiment", options.container == nil || options.container == "metrics-logger-and-collector" else { return false }
        let name = owner.fieldSelector.dropFirst("metadata.name=".count)
        let trials = try await client.discover().find("trials.kubeflow.org")
        let query = kind == "Trial" ? [("fieldSelector", owner.fieldSelector)] : [("labelSelector", "katib.kubeflow.org/experiment=\(name)")]
        let list = try await client.request(.GET, trials.path(namespace: owner.namespace), query: query)
        let files = TrialLogFiles(directory: LabContext.current.paths.trials)
        let ordered = list["items"].elements.sorted { Self.start($0) < Self.start($1) }
        var found = false
        for trial in ordered {
            guard let name = trial["metadata"]["name"].stringValue, !present.contains(name), let uid = trial["metadata"]["uid"].stringValue,
                let lines = files.lines(trialUID: uid)
            else { continue }
            found = true
            let mark = kind == "Experiment" || options.alwaysPrefixes ? Palette.current.faint("[\(name)] ") : ""
            for line in lines.suffix(options.tail ?? .max) { Output.line(mark + (options.timestamps ? "\(line.time) " : "") + line.text) }
        }
        return found
    }

    private static func start(_ trial: JSON) -> String { trial["status"]["startTime"].stringValue ?? "9" }
}
