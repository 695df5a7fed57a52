import GRDB
import KubeModel

/// What trials have told of the objective, as the catalogue has it from the moment they print it. Only the lab's owner may read it
/// there; for others there is nothing.
enum TrialSteps {
    private static func reader() -> CatalogueReader? {
        let context = LabContext.current
        return try? CatalogueReader(path: context.paths.catalogue, command: context.command)
    }

    /// All values in order, by the names of the trials.
    static func all(of progress: ExperimentProgress) -> [String: [String]] {
        let sql = "SELECT trial, value FROM metrics WHERE namespace = ? AND experiment = ? AND name = ? ORDER BY trial, sequence"
        let arguments: StatementArguments = [
            progress.experiment["metadata"]["namespace"].stringValue ?? "", progress.name, progress.objective.metric,
        ]
        let rows = try? reader()?.read { database in
            var steps: [String: [String]] = [:]
            let cursor = try Row.fetchCursor(database, sql: sql, arguments: arguments)
            while let row = try cursor.next() {
                let trial: String = row[0]
                if steps[trial, default: []].count < OptunaWriter.stepsMax { steps[trial, default: []].append(row[1]) }
            }
            return steps
        }
        return rows ?? [:]
    }

    /// The value that counts so far of each trial that runs.
    static func live(of progress: ExperimentProgress) -> [String: String] {
        guard let reader = reader() else { return [:] }
        let metric = progress.objective.metric
        let column = ["min": "min", "max": "max"][progress.objective.strategy(of: metric)] ?? "latest"
        var live: [String: String] = [:]
        for trial in progress.trials.values where trial.status == .running {
            let sql = "SELECT CAST(coalesce(\(column), latest) AS TEXT) FROM trial_metrics WHERE namespace = ? AND trial = ? AND metric = ?"
            let arguments: StatementArguments = [progress.experiment["metadata"]["namespace"].stringValue ?? "", trial.name, metric]
            if let value = try? reader.read({ try String.fetchOne($0, sql: sql, arguments: arguments) }) { live[trial.name] = value }
        }
        return live
    }
}
