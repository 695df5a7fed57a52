/// Colours for a terminal; plain text elsewhere, or where the user wants none (no-color.org).
struct Palette: Sendable {
    let isOn: Bool

    static let current = Palette(isOn: Output.isTerminal && allows(LabContext.current.environment))

    static func allows(_ environment: [String: String]) -> Bool {
        (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
    }

    func bold(_ text: String) -> String { wrap(text, "1") }
    func faint(_ text: String) -> String { wrap(text, "2") }
    func good(_ text: String) -> String { wrap(text, "32") }
    func bad(_ text: String) -> String { wrap(text, "31") }
    func busy(_ text: String) -> String { wrap(text, "36") }
    func warn(_ text: String) -> String { wrap(text, "33") }

    private func wrap(_ text: String, _ code: String) -> String { isOn ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text }
}
