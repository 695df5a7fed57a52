import KubeModel

/// What a run shows while it goes on. Values only: fed with objects, asked for lines.
protocol ProgressModel: Sendable {
    /// What is followed besides the object itself, such as an Experiment's Trials.
    var followed: [ObjectQuery] { get }
    /// Takes in the object's own new state.
    /// - Returns: what to say of it where lines are printed one after the other.
    mutating func update(main: JSON) -> [String]
    /// Takes in one followed object; `isGone` where it was deleted.
    mutating func update(related: JSON, isGone: Bool) -> [String]
    /// The picture of the moment, for a terminal.
    func frame(now: Timestamp, width: Int, palette: Palette) -> [String]
    /// The state as one JSON object, for scripts.
    func json(now: Timestamp) -> JSON
    /// What is said at the end.
    func summary(now: Timestamp, palette: Palette) -> [String]
    var completion: Completion { get }
}

extension ProgressModel {
    /// `✔`, `●`, `○` or `✘` for a state.
    static func mark(_ state: Completion.State, _ palette: Palette) -> String {
        switch state {
        case .succeeded: palette.good("✔")
        case .running: palette.busy("●")
        case .waiting: palette.faint("○")
        case .failed: palette.bad("✘")
        }
    }
}

/// Lengths of time as people say them: `8s`, `1m12s`, `2h05m`.
enum ClockText {
    static func short(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        if seconds < 0 { return "0s" }
        // The API's times are whole seconds: a decimal would only pretend to know more.
        if seconds < 10, attoseconds > 0 {
            return "\(NumberText.fixed(Double(seconds) + Double(attoseconds) / 1e18, 1))s"
        }
        if seconds < 60 { return "\(seconds)s" }
        if seconds < 3600 { return "\(seconds / 60)m\(padded(seconds % 60))s" }
        return "\(seconds / 3600)h\(padded(seconds / 60 % 60))m"
    }

    private static func padded(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
