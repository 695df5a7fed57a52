import GRDB
import Katib
import KubeModel

/// Writes Optuna's relational storage (schema 12 of optuna/storages/_rdb/models.py, which Optuna 3.2 to 5 open as their own).
struct OptunaWriter {
    /// As alembic names the schema; another one is refused by Optuna until it is upgraded.
    private static let schema = "v3.2.0.a"
    /// The most steps of one trial.
    static let stepsMax = 10_000

    private static let tables = """
        CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
        CREATE TABLE version_info (version_info_id INTEGER NOT NULL PRIMARY KEY CHECK (version_info_id = 1), schema_version INTEGER, library_version VARCHAR(256));
        CREATE TABLE studies (study_id INTEGER NOT NULL PRIMARY KEY, study_name VARCHAR(512) NOT NULL);
        CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
        CREATE TABLE study_directions (study_direction_id INTEGER NOT NULL PRIMARY KEY, direction VARCHAR(8) NOT NULL,
            study_id INTEGER NOT NULL REFERENCES studies (study_id), objective INTEGER NOT NULL, UNIQUE (study_id, objective));
        CREATE TABLE study_user_attributes (study_user_attribute_id INTEGER NOT NULL PRIMARY KEY, study_id INTEGER REFERENCES studies (study_id),
            "key" VARCHAR(512), value_json TEXT, UNIQUE (study_id, "key"));
        CREATE TABLE study_system_attributes (study_system_attribute_id INTEGER NOT NULL PRIMARY KEY, study_id INTEGER REFERENCES studies (study_id),
            "key" VARCHAR(512), value_json TEXT, UNIQUE (study_id, "key"));
        CREATE TABLE trials (trial_id INTEGER NOT NULL PRIMARY KEY, number INTEGER, study_id INTEGER REFERENCES studies (study_id),
            state VARCHAR(8) NOT NULL, datetime_start DATETIME, datetime_complete DATETIME);
        CREATE INDEX ix_trials_study_id ON trials (study_id);
        CREATE TABLE trial_user_attributes (trial_user_attribute_id INTEGER NOT NULL PRIMARY KEY, trial_id INTEGER REFERENCES trials (trial_id),
            "key" VARCHAR(512), value_json TEXT, UNIQUE (trial_id, "key"));
        CREATE TABLE trial_system_attributes (trial_system_attribute_id INTEGER NOT NULL PRIMARY KEY, trial_id INTEGER REFERENCES trials (trial_id),
            "key" VARCHAR(512), value_json TEXT, UNIQUE (trial_id, "key"));
        CREATE TABLE trial_params (param_id INTEGER NOT NULL PRIMARY KEY, trial_id INTEGER REFERENCES trials (trial_id),
            param_name VARCHAR(512), param_value FLOAT, distribution_json TEXT, UNIQUE (trial_id, param_name));
        CREATE TABLE trial_values (trial_value_id INTEGER NOT NULL PRIMARY KEY, trial_id INTEGER NOT NULL REFERENCES trials (trial_id),
            objective INTEGER NOT NULL, value FLOAT, value_type VARCHAR(7) NOT NULL, UNIQUE (trial_id, objective));
        CREATE TABLE trial_intermediate_values (trial_intermediate_value_id INTEGER NOT NULL PRIMARY KEY,
            trial_id INTEGER NOT NULL REFERENCES trials (trial_id), step INTEGER NOT NULL, intermediate_value FLOAT,
            intermediate_value_type VARCHAR(7) NOT NULL, UNIQUE (trial_id, step));
        CREATE TABLE trial_heartbeats (trial_heartbeat_id INTEGER NOT NULL PRIMARY KEY,
            trial_id INTEGER NOT NULL UNIQUE REFERENCES trials (trial_id), heartbeat DATETIME NOT NULL);
        """

    let experiment: JSON
    /// All that count: names and whether large is good, the objective first.
    let objectives: [(name: String, isMaximized: Bool)]
    /// Those that have ended, in the order of their start.
    let trials: [PastTrial]
    /// What each trial told of the objective, in order, by the trial's name.
    let steps: [String: [String]]

    /// - Throws: `CommandError` where the file exists or cannot be written.
    func write(to path: String) throws(CommandError) {
        if SmallFile.exists(path) { throw CommandError("\(path) exists already: name another file, or remove it first") }
        do {
            let queue = try DatabaseQueue(path: path)
            try queue.write { database in
                try database.execute(sql: Self.tables)
                try database.execute(sql: "INSERT INTO alembic_version VALUES (?)", arguments: [Self.schema])
                try database.execute(sql: "INSERT INTO version_info VALUES (1, 12, '4.9.0')")
                try database.execute(sql: "INSERT INTO studies VALUES (1, ?)", arguments: [experiment["metadata"]["name"].stringValue ?? ""])
                for (index, objective) in objectives.enumerated() {
                    try database.execute(
                        sql: "INSERT INTO study_directions (direction, study_id, objective) VALUES (?, 1, ?)",
                        arguments: [objective.isMaximized ? "MAXIMIZE" : "MINIMIZE", index])
                }
                let names = JSON.array(objectives.map { .string($0.name) }).text
                try database.execute(
                    sql: "INSERT INTO study_system_attributes (study_id, key, value_json) VALUES (1, 'study:metric_names', ?)", arguments: [names])
                for (index, trial) in trials.enumerated() { try write(trial, number: index, database) }
            }
            try queue.close()
        } catch {
            throw CommandError("\(path) cannot be written: \(error)")
        }
    }

    private func write(_ trial: PastTrial, number: Int, _ database: GRDB.Database) throws {
        let id = number + 1
        let values = objectives.map { trial.metrics[$0.name].flatMap(Double.init) }
        let isComplete = values.allSatisfy { $0.map { !$0.isNaN } ?? false }
        // A trial that is COMPLETE there has all values.
        let state = trial.state == "Succeeded" && isComplete ? "COMPLETE" : trial.state == "EarlyStopped" ? "PRUNED" : "FAIL"
        try database.execute(
            sql: "INSERT INTO trials VALUES (?, ?, 1, ?, ?, ?)",
            arguments: [id, number, state, OptunaTime.optuna(trial.started), OptunaTime.optuna(trial.completed)])
        if isComplete, state != "FAIL" {
            for (index, value) in values.enumerated() {
                let (number, type) = Self.told(value ?? 0)
                try database.execute(
                    sql: "INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES (?, ?, ?, ?)", arguments: [id, index, number, type])
            }
        }
        for parameter in experiment["spec"]["parameters"].elements {
            let name = parameter["name"].stringValue ?? ""
            guard let value = trial.parameters[name].flatMap({ OptunaDistribution.value($0, parameter) }) else { continue }
            try database.execute(
                sql: "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) VALUES (?, ?, ?, ?)",
                arguments: [id, name, value, OptunaDistribution.json(parameter).text])
        }
        for (step, text) in (steps[trial.name] ?? []).prefix(Self.stepsMax).enumerated() {
            guard let value = Double(text) else { continue }
            let (number, type) = Self.told(value)
            try database.execute(
                sql: "INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type) VALUES (?, ?, ?, ?)",
                arguments: [id, step, number, type])
        }
        let counted = Set(objectives.map(\.name))
        var attributes: [(String, JSON)] = [("trial", .string(trial.name)), ("state", .string(trial.state))]
        for (name, text) in trial.metrics.sorted(by: { $0.key < $1.key }) where !counted.contains(name) {
            attributes.append((name, Double(text).flatMap { $0.isFinite ? .double($0) : nil } ?? .string(text)))
        }
        for (key, value) in attributes {
            try database.execute(
                sql: "INSERT OR IGNORE INTO trial_user_attributes (trial_id, key, value_json) VALUES (?, ?, ?)", arguments: [id, key, value.text])
        }
    }

    private static func told(_ value: Double) -> (Double?, String) {
        value.isNaN ? (nil, "NAN") : value == .infinity ? (nil, "INF_POS") : value == -.infinity ? (nil, "INF_NEG") : (value, "FINITE")
    }
}
