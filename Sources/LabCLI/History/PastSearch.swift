import Katib
import KubeModel

/// A search that ran elsewhere, as a file tells of it.
struct PastSearch: Sendable {
    var name: String
    /// `nil` where the file does not name what was measured.
    var metric: String?
    /// `nil` where the file does not tell.
    var isMaximized: Bool?
    /// Further metrics.
    var additional: [String] = []
    /// Katib's parameters (v1beta1 ParameterSpec).
    var parameters: [JSON] = []
    var trials: [PastTrial] = []
    /// The objects of a cluster: the Experiment and its Trials.
    var objects: (experiment: JSON, trials: [JSON])?

    /// All searches of a file: an Optuna storage (SQLite), a table (CSV), or Experiments and Trials as `kubectl get -o yaml` prints them.
    /// - Throws: `CommandError` where it is none of these, or has no trials.
    static func read(_ path: String) throws(CommandError) -> [PastSearch] {
        let start = try SmallFile.start(of: path, count: 16)
        let searches: [PastSearch]
        if start.starts(with: "SQLite format 3\0".utf8) {
            searches = try OptunaReader.read(path)
        } else if path.lowercased().hasSuffix(".csv") {
            searches = [try HistoryTable.read(try SmallFile.read(path), path: path)]
        } else {
            searches = try ClusterObjects.read(path)
        }
        guard searches.contains(where: { !$0.trials.isEmpty }) else { throw CommandError("\(path) has no trials") }
        return searches
    }
}

/// Experiments and Trials as a cluster has them.
enum ClusterObjects {
    static func read(_ path: String) throws(CommandError) -> [PastSearch] {
        let objects = try Manifest.load([path]).map(\.object)
        func all(_ kind: String) -> [JSON] {
            objects.filter { $0["kind"].stringValue == kind && ($0["apiVersion"].stringValue ?? "").hasPrefix("kubeflow.org/") }
        }
        let experiments = all("Experiment")
        guard !experiments.isEmpty else {
            throw CommandError(
                "\(path): expected an Optuna storage, a .csv, or the output of 'kubectl get experiments,trials -o yaml'; found no Experiment in it")
        }
        let trials = all("Trial")
        return experiments.map { experiment in
            let (name, space) = (experiment["metadata"]["name"], experiment["metadata"]["namespace"])
            let own = trials.filter { trial in
                trial["metadata"]["namespace"] == space
                    && trial["metadata"]["ownerReferences"].elements.contains { $0["kind"].stringValue == "Experiment" && $0["name"] == name }
            }
            let objective = experiment["spec"]["objective"]
            return PastSearch(
                name: name.stringValue ?? "", metric: objective["objectiveMetricName"].stringValue,
                isMaximized: objective["type"].stringValue != "minimize",
                additional: objective["additionalMetricNames"].elements.compactMap(\.stringValue), parameters: experiment["spec"]["parameters"].elements,
                trials: own.map { PastTrial(trial: $0) }.sorted { $0.started < $1.started }, objects: (experiment, own))
        }
    }
}

/// A table with a line a trial (RFC 4180). Every column may be a parameter or a metric: who uses it knows which are which.
enum HistoryTable {
    /// Columns that are neither, of `lab sql` and of Optuna's `trials_dataframe`.
    private static let others: Set<String> = [
        "namespace", "name", "experiment", "status", "started", "completed", "number", "state", "datetime_start", "datetime_complete", "duration",
        "wall_seconds", "cpu_seconds", "peak_memory_bytes", "exit_code", "code_digest",
    ]

    static func read(_ bytes: [UInt8], path: String) throws(CommandError) -> PastSearch {
        let rows = rows(String(decoding: bytes, as: UTF8.self))
        guard let header = rows.first, header.count > 1, rows.count > 1 else {
            throw CommandError("\(path): expected a line of names and a line for each trial, with commas between")
        }
        if let wrong = rows.dropFirst().firstIndex(where: { $0.count != header.count }) {
            throw CommandError("\(path): line \(wrong + 1) has \(rows[wrong].count) values, and there are \(header.count) names")
        }
        let isOptuna = header.contains { $0.hasPrefix("params_") }
        let name = (path.split(separator: "/").last.map(String.init) ?? path).split(separator: ".").first.map(String.init) ?? "table"
        var search = PastSearch(name: name)
        for (index, row) in rows.dropFirst().enumerated() {
            let cells = Dictionary(zip(header, row), uniquingKeysWith: { first, _ in first })
            var trial = PastTrial(name: cells["name"] ?? "\(name)-\(cells["number"] ?? "\(index)")", parameters: [:], metrics: [:])
            for (column, text) in cells where !text.isEmpty && !others.contains(column) {
                if isOptuna {
                    if column.hasPrefix("params_") { trial.parameters[String(column.dropFirst(7))] = text } else if column == "value" || column.hasPrefix("values_") {
                        trial.metrics[column.hasPrefix("values_") ? String(column.dropFirst(7)) : column] = text
                    }
                } else {
                    trial.parameters[column] = text
                    trial.metrics[column] = text
                }
            }
            let state = cells["status"] ?? cells["state"] ?? ""
            trial.state = ["": "Succeeded", "COMPLETE": "Succeeded", "PRUNED": "EarlyStopped", "FAIL": "Failed", "RUNNING": "Running"][state] ?? state
            trial.started = OptunaTime.katib(cells["started"] ?? cells["datetime_start"] ?? "")
            trial.completed = OptunaTime.katib(cells["completed"] ?? cells["datetime_complete"] ?? "")
            search.trials.append(trial)
        }
        return search
    }

    /// Lines of cells; a cell in quotes may have commas, quotes (twice) and line ends.
    static func rows(_ text: String) -> [[String]] {
        var rows: [[String]] = []
        var row: [String] = []
        var cell = ""
        var isQuoted = false
        func isEmpty(_ row: [String]) -> Bool { row.count == 1 && row[0].isEmpty }
        var rest = text.unicodeScalars.makeIterator()
        var next = rest.next()
        if next == "\u{FEFF}" { next = rest.next() }
        while let scalar = next {
            next = rest.next()
            switch scalar {
            case "\"" where isQuoted && next == "\"":
                cell.unicodeScalars.append("\"")
                next = rest.next()
            case "\"" where isQuoted || cell.isEmpty: isQuoted.toggle()
            case "," where !isQuoted:
                row.append(cell)
                cell = ""
            case "\r" where !isQuoted && next == "\n": break
            case "\n" where !isQuoted:
                row.append(cell)
                if !isEmpty(row) { rows.append(row) }
                (row, cell) = ([], "")
            default: cell.unicodeScalars.append(scalar)
            }
        }
        row.append(cell)
        if !isEmpty(row) { rows.append(row) }
        return rows
    }
}
