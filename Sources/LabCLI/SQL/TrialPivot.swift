import GRDB

/// The view `trials`: SQL cannot name columns by data, so a temporary table gets one for each parameter and each metric.
struct TrialPivot {
    /// SQLite allows 2000 columns; more parameters than this are in `trial_parameters` only.
    private static let columnLimit = 900
    private let database: Database

    init(_ database: Database) { self.database = database }

    func createTable() throws {
        // A temporary table: its columns have numeric affinity, so that `order by lr` compares numbers and `sgd` stays text.
        let parameters = try names("SELECT DISTINCT parameter FROM trial_parameters ORDER BY parameter")
        let metrics = try names("SELECT DISTINCT metric FROM trial_metrics ORDER BY metric")
        let texts = ["namespace", "name", "experiment", "status", "started", "completed", "code_digest"]
        let numbers = ["wall_seconds", "cpu_seconds", "peak_memory_bytes", "exit_code"]
        let base = texts + numbers
        let columns = Self.columns(base: base, parameters: parameters, metrics: metrics)
        let definitions = texts.map { "\"\($0)\" TEXT" } + numbers.map { "\"\($0)\" NUMERIC" } + columns.map { "\(Self.quoted($0)) NUMERIC" }
        try database.execute(sql: "CREATE TEMP TABLE trials (\(definitions.joined(separator: ", ")))")
        var arguments: [String] = []
        func cases(_ names: [String], _ column: String, _ value: String) -> String {
            names.enumerated().map { index, name in
                arguments.append(name)
                return ", max(CASE WHEN \(column) = ? THEN \(value) END) AS c\(index)"
            }.joined()
        }
        let parameterCases = cases(parameters, "parameter", "value")
        let metricCases = cases(metrics, "m.metric", Self.chosenValue)
        let selected = parameters.indices.map { "p.c\($0)" } + metrics.indices.map { "m.c\($0)" }
        try database.execute(
            sql: """
                INSERT INTO trials SELECT \((base.map { "b.\($0)" } + selected).joined(separator: ", ")) FROM trials_base AS b
                LEFT JOIN (SELECT namespace AS pn, trial AS pt\(parameterCases) FROM trial_parameters GROUP BY 1, 2) AS p
                    ON p.pn = b.namespace AND p.pt = b.name
                LEFT JOIN (SELECT m.namespace AS mn, m.trial AS mt\(metricCases) FROM trial_metrics AS m
                    LEFT JOIN trials_base AS t ON t.namespace = m.namespace AND t.name = m.trial
                    LEFT JOIN (\(Self.strategies)) AS s ON s.namespace = t.namespace AND s.experiment = t.experiment AND s.metric = m.metric
                    GROUP BY 1, 2) AS m ON m.mn = b.namespace AND m.mt = b.name
                ORDER BY b.started, b.name
                """, arguments: StatementArguments(arguments))
    }

    /// A metric's value by the strategy that its experiment has for it.
    private static let chosenValue = "CASE s.strategy WHEN 'max' THEN m.max WHEN 'min' THEN m.min ELSE m.latest END"
    private static let strategies = """
        SELECT o.namespace, o.name AS experiment, json_extract(e.value, '$.name') AS metric, json_extract(e.value, '$.value') AS strategy
        FROM objects AS o, json_each(o.value, '$.spec.objective.metricStrategies') AS e WHERE o.resource = 'experiments' AND o.grp = 'kubeflow.org'
        """

    private func names(_ sql: String) throws -> [String] {
        Array(try String?.fetchAll(database, sql: sql).compactMap { $0 }.prefix(Self.columnLimit))
    }

    /// The names of the columns behind the base: a name that is taken already gets `parameter_` or `metric_` in front.
    /// SQLite's names do not tell capitals from small letters.
    static func columns(base: [String], parameters: [String], metrics: [String]) -> [String] {
        var taken = Set(base.map { $0.lowercased() })
        func free(_ name: String, _ prefix: String) -> String {
            var candidate = name
            while !taken.insert(candidate.lowercased()).inserted { candidate = "\(prefix)_\(candidate)" }
            return candidate
        }
        return parameters.map { free($0, "parameter") } + metrics.map { free($0, "metric") }
    }

    static func quoted(_ name: String) -> String {
        "\"\(name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\""))\""
    }
}
