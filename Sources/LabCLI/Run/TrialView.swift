import KubeModel

/// A Trial as the views and the picture show it.
struct TrialView: Sendable, Equatable {
    enum Status: String, Sendable {
        case pending = "Pending"
        case running = "Running"
        case succeeded = "Succeeded"
        case failed = "Failed"
        case stopped = "Stopped"
        case unavailable = "NoMetrics"
    }
    let name: String
    let status: Status
    /// In the order of the assignments.
    let parameters: [(name: String, value: String)]
    /// By the strategy of each metric; as the trial printed it.
    let metrics: [String: String]
    let started: Timestamp?
    let completed: Timestamp?
    let message: String

    init(_ trial: JSON, objective: ObjectiveView) {
        name = trial["metadata"]["name"].stringValue ?? ""
        parameters = trial["spec"]["parameterAssignments"].elements.compactMap { assignment in
            assignment["name"].stringValue.map { ($0, assignment["value"].stringValue ?? assignment["value"].text) }
        }
        var metrics: [String: String] = [:]
        for metric in trial["status"]["observation"]["metrics"].elements {
            guard let name = metric["name"].stringValue else { continue }
            metrics[name] = metric[objective.strategy(of: name)].stringValue ?? metric["latest"].stringValue
        }
        self.metrics = metrics
        started = trial["status"]["startTime"].stringValue.flatMap(Timestamp.init(parsing:))
        completed = trial["status"]["completionTime"].stringValue.flatMap(Timestamp.init(parsing:))
        let order: [(String, Status)] = [
            ("Failed", .failed), ("MetricsUnavailable", .unavailable), ("Killed", .stopped), ("EarlyStopped", .stopped),
            ("Succeeded", .succeeded),
            ("Running", .running),
        ]
        let found = order.lazy.compactMap { type, status in Completion.condition(trial, type).map { (status, $0) } }.first
        status = found?.0 ?? .pending
        message = found?.1["message"].stringValue ?? ""
    }

    static func == (left: TrialView, right: TrialView) -> Bool {
        left.name == right.name && left.status == right.status && left.metrics == right.metrics && left.started == right.started
            && left.completed == right.completed && left.parameters.elementsEqual(right.parameters, by: ==)
    }

    var hasEnded: Bool { status != .pending && status != .running }
    func duration(now: Timestamp) -> Duration? { started.map { (completed ?? now) - $0 } }

    /// The metric as a number; `nil` for NaN, infinite and unreadable ones, which never are the best.
    func number(_ metric: String) -> Double? { metrics[metric].flatMap(Double.init).flatMap { $0.isFinite ? $0 : nil } }

    var parameterText: String { parameters.map { "\($0.name) \(NumberText.short($0.value))" }.joined(separator: "  ") }
}

/// What an Experiment wants.
struct ObjectiveView: Sendable, Equatable {
    let metric: String
    let additional: [String]
    let isMaximized: Bool
    let goal: Double?
    private let strategies: [String: String]
    /// All that is aimed at: the objective, and the additional metrics that the annotation names.
    let all: [Aim]

    /// On an Experiment: the additional metrics that are aims too, with commas between. Which way is better is what their strategies say.
    static let aimsAnnotation = "kindling.dev/objectives"

    struct Aim: Sendable, Equatable {
        let metric: String
        let isMaximized: Bool
    }

    init(_ experiment: JSON) {
        let objective = experiment["spec"]["objective"]
        metric = objective["objectiveMetricName"].stringValue ?? ""
        additional = objective["additionalMetricNames"].elements.compactMap(\.stringValue)
        isMaximized = objective["type"].stringValue != "minimize"
        goal = objective["goal"].doubleValue
        var strategies: [String: String] = [:]
        for entry in objective["metricStrategies"].elements {
            if let name = entry["name"].stringValue, let value = entry["value"].stringValue { strategies[name] = value }
        }
        self.strategies = strategies
        let named = experiment["metadata"]["annotations"][Self.aimsAnnotation].stringValue ?? ""
        let others = named.split(separator: ",").map { $0.filter { $0 != " " } }.filter(additional.contains)
        let isMaximized = isMaximized
        all = [Aim(metric: metric, isMaximized: isMaximized)]
            + others.map { name in Aim(metric: name, isMaximized: strategies[name].map { $0 == "max" || ($0 == "latest" && isMaximized) } ?? isMaximized) }
    }

    /// `min`, `max` or `latest`; by default the extreme that the objective wants (katib, experiment defaults).
    func strategy(of metric: String) -> String { strategies[metric] ?? (isMaximized ? "max" : "min") }
    func isBetter(_ left: Double, than right: Double) -> Bool { isMaximized ? left > right : left < right }
}

/// Numbers as people read them.
enum NumberText {
    /// At most five significant digits; what is no number stays as it is.
    static func short(_ text: String) -> String {
        guard let number = Double(text), number.isFinite, text.utf8.count > 6 else { return text }
        return short(number)
    }

    static func short(_ number: Double) -> String {
        if number == number.rounded(), abs(number) < 1e15 { return "\(Int64(number))" }
        let magnitude = abs(number)
        if magnitude < 1e-4 || magnitude >= 1e7 {
            let exponent = Int(log10Floor(magnitude))
            return "\(fixed(number / power10(exponent), 2))e\(exponent)"
        }
        let whole = magnitude < 1 ? 0 : Int(log10Floor(magnitude)) + 1
        // Leading zeros behind the point are not significant.
        let leading = magnitude < 1 ? -Int(log10Floor(magnitude)) - 1 : 0
        return trimmed(fixed(number, max(0, min(9, 4 - whole + leading))))
    }

    private static func log10Floor(_ number: Double) -> Double {
        var exponent = 0.0
        var rest = number
        while rest >= 10 {
            rest /= 10
            exponent += 1
        }
        while rest < 1, rest > 0 {
            rest *= 10
            exponent -= 1
        }
        return exponent
    }

    private static func power10(_ exponent: Int) -> Double {
        var result = 1.0
        for _ in 0..<abs(exponent) { result *= 10 }
        return exponent < 0 ? 1 / result : result
    }

    /// With exactly so many digits behind the point.
    static func fixed(_ number: Double, _ digits: Int) -> String {
        let scale = power10(digits)
        let scaled = (abs(number) * scale).rounded()
        guard scaled < 1e18 else { return "\(number)" }
        let total = UInt64(scaled)
        let unit = UInt64(scale)
        let sign = number < 0 && total > 0 ? "-" : ""
        if digits == 0 { return "\(sign)\(total)" }
        let fraction = "\(total % unit)"
        return "\(sign)\(total / unit)." + String(repeating: "0", count: digits - fraction.utf8.count) + fraction
    }

    private static func trimmed(_ text: String) -> String {
        guard text.contains(".") else { return text }
        var text = text
        while text.last == "0" { text.removeLast() }
        if text.last == "." { text.removeLast() }
        return text
    }
}
