/// A row of small bars.
enum Sparkline {
    private static let bars = Array("▁▂▃▄▅▆▇█")

    /// - Parameter width: at most so many bars; of more values some from the first to the last, evenly spaced.
    static func text(_ values: [Double], width: Int) -> String {
        guard let low = values.min(), let high = values.max(), width > 0 else { return "" }
        let shown = values.count <= width ? values : (0..<width).map { values[width > 1 ? $0 * (values.count - 1) / (width - 1) : values.count - 1] }
        let last = Double(bars.count - 1)
        return String(shown.map { high > low ? bars[Int(((($0 - low) / (high - low)) * last).rounded())] : bars[bars.count / 2] })
    }
}

extension ExperimentProgress {
    /// The best value after each trial that ended with one; `nil` before there are two.
    func sparkline(width: Int) -> String? {
        let ended = ordered.filter(\.hasEnded).compactMap { $0.number(objective.metric) }
        guard let first = ended.first, ended.count > 1 else { return nil }
        var best = first
        let history = ended.map { value in
            if objective.isBetter(value, than: best) { best = value }
            return best
        }
        return Sparkline.text(history, width: width)
    }
}
