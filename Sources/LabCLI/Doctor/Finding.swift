import KubeModel

/// What `lab doctor` found of one thing that the lab needs.
struct Finding: Sendable, Equatable {
    enum Verdict: String, Sendable {
        /// As it should be.
        case present
        /// The lab works, with less.
        case limited
        /// The lab does not work without.
        case missing
    }

    let name: String
    var verdict: Verdict
    /// What was found.
    var detail = ""
    /// The command or the file that mends it, line by line.
    var remedy: [String] = []

    static func present(_ name: String, _ detail: String = "") -> Finding { Finding(name: name, verdict: .present, detail: detail) }
    static func limited(_ name: String, _ detail: String, _ remedy: String...) -> Finding {
        Finding(name: name, verdict: .limited, detail: detail, remedy: remedy)
    }
    static func missing(_ name: String, _ detail: String, _ remedy: String...) -> Finding {
        Finding(name: name, verdict: .missing, detail: detail, remedy: remedy)
    }

    func lines(_ palette: Palette) -> [String] {
        let mark =
            switch verdict {
            case .present: palette.good("✔")
            case .limited: palette.warn("!")
            case .missing: palette.bad("✘")
            }
        return ["\(mark) \(name)" + (detail.isEmpty ? "" : palette.faint("  \(detail)"))] + remedy.map { "    \($0)" }
    }

    var json: JSON {
        [
            "name": .string(name), "verdict": .string(verdict.rawValue), "detail": .string(detail),
            "remedy": .array(remedy.map(JSON.string)),
        ]
    }
}
