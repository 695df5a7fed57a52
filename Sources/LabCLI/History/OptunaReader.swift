import GRDB
import Katib
import KubeModel

/// Times as Optuna writes them (`2026-01-02 03:04:05.678901`, without a zone) and as Katib does.
enum OptunaTime {
    static func katib(_ text: String) -> String {
        guard text.count >= 19, !text.contains("T") else { return text }
        return "\(text.prefix(10))T\(text.dropFirst(11).prefix(8))Z"
    }

    static func optuna(_ text: String) -> String? {
        guard text.count >= 19, text.contains("T") else { return nil }
        return "\(text.prefix(10)) \(text.dropFirst(11).prefix(8)).000000"
    }
}

/// Reads Optuna's relational storage in an SQLite file (optuna/storages/_rdb/models.py, schema 12; what older ones lack is left out).
enum OptunaReader {
    static func read(_ path: String) throws(CommandError) -> [PastSearch] {
        do {
            var configuration = Configuration()
            configuration.readonly = true
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            return try queue.read { database in
                guard try database.tableExists("studies"), try database.tableExists("trial_params") else {
                    throw CommandError("\(path) is an SQLite file, but no Optuna storage: it has no table 'studies'")
                }
                return try Row.fetchAll(database, sql: "SELECT study_id, study_name FROM studies ORDER BY study_id").map {
                    try search(id: $0[0], name: $0[1], database)
                }
            }
        } catch let known as CommandError {
            throw known
        } catch {
            throw CommandError("\(path) cannot be read: \(error)")
        }
    }

    private static func search(id: Int64, name: String, _ database: GRDB.Database) throws -> PastSearch {
        let directions = try String.fetchAll(
            database, sql: "SELECT direction FROM study_directions WHERE study_id = ? ORDER BY objective", arguments: [id])
        let told = try String.fetchOne(
            database, sql: "SELECT value_json FROM study_system_attributes WHERE study_id = ? AND key = 'study:metric_names'", arguments: [id])
        var metrics = told.flatMap { try? JSONParser.parse($0) }?.elements.compactMap(\.stringValue) ?? []
        let isNamed = metrics.count == max(1, directions.count)
        if !isNamed { metrics = directions.count > 1 ? directions.indices.map { "value_\($0)" } : ["value"] }
        var search = PastSearch(
            name: name, metric: isNamed ? metrics[0] : nil, isMaximized: directions.first.map { $0 == "MAXIMIZE" }, additional: Array(metrics.dropFirst()))
        var places: [Int64: Int] = [:]
        let states = ["COMPLETE": "Succeeded", "PRUNED": "EarlyStopped", "FAIL": "Failed", "RUNNING": "Running", "WAITING": "Created"]
        let sql = "SELECT trial_id, number, state, datetime_start, datetime_complete FROM trials WHERE study_id = ? ORDER BY number"
        for row in try Row.fetchAll(database, sql: sql, arguments: [id]) {
            let number: Int64 = row[1] ?? Int64(search.trials.count)
            places[row[0]] = search.trials.count
            search.trials.append(
                PastTrial(
                    name: "\(name)-\(number)", parameters: [:], metrics: [:], state: states[row[2]] ?? "Failed", started: OptunaTime.katib(row[3] ?? ""),
                    completed: OptunaTime.katib(row[4] ?? "")))
        }
        let members = "JOIN trials AS t ON t.trial_id = v.trial_id WHERE t.study_id = ?"
        for row in try Row.fetchAll(database, sql: "SELECT v.trial_id, v.objective, v.value FROM trial_values AS v \(members)", arguments: [id]) {
            let objective: Int = row[1]
            guard let place = places[row[0]], let value: Double = row[2], metrics.indices.contains(objective) else { continue }
            search.trials[place].metrics[metrics[objective]] = text(value)
        }
        var distributions: [(name: String, json: JSON)] = []
        let parameters = "SELECT v.trial_id, v.param_name, v.param_value, v.distribution_json FROM trial_params AS v \(members) ORDER BY v.param_id"
        for row in try Row.fetchAll(database, sql: parameters, arguments: [id]) {
            let name: String = row[1]
            guard let place = places[row[0]], let value: Double = row[2], let json = try? JSONParser.parse(row[3] as String) else { continue }
            search.trials[place].parameters[name] = OptunaDistribution.text(value, json)
            if !distributions.contains(where: { $0.name == name }) { distributions.append((name, json)) }
        }
        search.parameters = distributions.map { OptunaDistribution.parameter($0.name, $0.json) }
        return search
    }

    static func text(_ value: Double) -> String { Int64(exactly: value).map { "\($0)" } ?? "\(value)" }
}

/// Optuna's distributions as Katib's parameters, and back (optuna/distributions.py: `distribution_to_json`).
enum OptunaDistribution {
    /// What a trial was given: Optuna keeps numbers, and of a choice its place in the list.
    static func text(_ value: Double, _ distribution: JSON) -> String {
        let choices = distribution["attributes"]["choices"].elements
        if !choices.isEmpty { return Int(exactly: value).flatMap { choices.indices.contains($0) ? word(choices[$0]) : nil } ?? "" }
        return isInteger(distribution) ? "\(Int64(value))" : "\(value)"
    }

    private static func isInteger(_ distribution: JSON) -> Bool { (distribution["name"].stringValue ?? "").hasPrefix("Int") }

    /// As Python prints it.
    private static func word(_ choice: JSON) -> String {
        switch choice {
        case .string(let text): text
        case .bool(let value): value ? "True" : "False"
        case .null: "None"
        default: choice.text
        }
    }

    static func parameter(_ name: String, _ distribution: JSON) -> JSON {
        let attributes = distribution["attributes"]
        let choices = attributes["choices"].elements.map { JSON.string(word($0)) }
        if !choices.isEmpty { return ["name": .string(name), "parameterType": "categorical", "feasibleSpace": ["list": .array(choices)]] }
        let isInteger = isInteger(distribution)
        func number(_ value: JSON) -> JSON { .string(value.doubleValue.map { isInteger ? "\(Int64($0))" : "\($0)" } ?? value.text) }
        var space: JSON = ["min": number(attributes["low"]), "max": number(attributes["high"])]
        let isLogarithmic = attributes["log"].boolValue == true || (distribution["name"].stringValue ?? "").contains("Log")
        let step = attributes["step"].isNull ? attributes["q"] : attributes["step"]
        if isLogarithmic {
            space["distribution"] = "logUniform"
        } else if !step.isNull, !(isInteger && step == 1) {
            space["step"] = number(step)
        }
        return ["name": .string(name), "parameterType": isInteger ? "int" : "double", "feasibleSpace": space]
    }

    /// The distribution that stands for a parameter. Normal ones are not known there: their range is told.
    static func json(_ parameter: JSON) -> JSON {
        let space = parameter["feasibleSpace"]
        func number(_ key: String) -> Double? { space[key].stringValue.flatMap(Double.init) }
        let isInteger = parameter["parameterType"].stringValue == "int"
        guard let low = number("min"), let high = number("max") else {
            let isNumeric = parameter["parameterType"].stringValue == "discrete"
            let choices = space["list"].elements.map { isNumeric ? choice($0.stringValue ?? "") : $0 }
            return ["name": "CategoricalDistribution", "attributes": ["choices": .array(choices)]]
        }
        var isLogarithmic = space["distribution"].stringValue == "logUniform"
        if isInteger, low < 1 { isLogarithmic = false }
        let step = isLogarithmic ? nil : number("step")
        // A range there ends at a step.
        let top = step.map { low + ((high - low) / $0 + 1e-9).rounded(.down) * $0 } ?? high
        func value(_ number: Double) -> JSON { isInteger ? .int(Int64(number)) : .double(number) }
        return [
            "name": isInteger ? "IntDistribution" : "FloatDistribution",
            "attributes": [
                "log": .bool(isLogarithmic), "step": step.map(value) ?? (isInteger ? 1 : .null), "low": value(low), "high": value(top),
            ],
        ]
    }

    private static func choice(_ text: String) -> JSON { Int64(text).map(JSON.int) ?? Double(text).map(JSON.double) ?? .string(text) }

    /// What Optuna keeps of a trial's value; `nil` where the distribution does not have it.
    static func value(_ text: String, _ parameter: JSON) -> Double? {
        let list = parameter["feasibleSpace"]["list"].elements.compactMap(\.stringValue)
        guard list.isEmpty else { return list.firstIndex(of: text).map(Double.init) }
        return Double(text)
    }
}
