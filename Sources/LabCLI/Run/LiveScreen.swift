import Glibc

/// Draws a few lines over themselves at the end of a terminal's output; what stands above stays in its history.
struct LiveScreen {
    private var drawn: [String] = []
    private var height = 0

    /// The terminal's size: what the kernel says, else COLUMNS, else 80 by 24.
    static func size(_ environment: [String: String]) -> (width: Int, height: Int) {
        var size = winsize()
        if ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return (Int(size.ws_col), Int(size.ws_row)) }
        return (environment["COLUMNS"].flatMap(Int.init) ?? 80, 24)
    }

    /// - Parameter rows: of the terminal; a picture that is higher loses its upper part.
    mutating func draw(_ lines: [String], rows: Int) {
        let shown = Array(lines.suffix(max(1, rows - 1)))
        if shown == drawn { return }
        var text = start
        for line in shown { text += line + "\u{1B}[K\n" }
        text += "\u{1B}[J"
        Output.text(text)
        drawn = shown
        height = shown.count
    }

    /// Takes the picture away, for text that is to stay.
    mutating func clear() {
        if height > 0 { Output.text(start + "\u{1B}[J") }
        drawn = []
        height = 0
    }

    private var start: String { height > 0 ? "\u{1B}[\(height)A\r" : "\r" }
}
