import Glibc
import KubeModel

/// One parameter of an Experiment with its feasible space.
struct SearchParameter: Sendable {
    enum Distribution: String, Sendable { case uniform, logUniform, normal, logNormal }

    enum Space: Sendable {
        case double(min: Double, max: Double, step: Double?)
        case int(min: Int64, max: Int64, step: Int64?)
        /// Categorical and discrete values as the user wrote them.
        case list([String])
    }

    let name: String
    let space: Space
    let distribution: Distribution

    init(_ json: JSON) throws(AlgorithmProblem) {
        let name = json["name"].stringValue ?? ""
        self.name = name
        let feasible = json["feasibleSpace"]
        distribution = Distribution(rawValue: feasible["distribution"].stringValue ?? "uniform") ?? .uniform
        func fail(_ problem: String) -> AlgorithmProblem { AlgorithmProblem(description: "parameter \(name): \(problem)") }
        func number<T: LosslessStringConvertible>(_ key: String, _ type: T.Type) throws(AlgorithmProblem) -> T? {
            guard let text = feasible[key].stringValue, !text.isEmpty else { return nil }
            guard let value = T(text) else { throw fail("feasibleSpace.\(key) must be a number of its parameterType, found \"\(text)\"") }
            return value
        }
        let lowest: Double
        switch json["parameterType"].stringValue {
        case "double":
            guard let min = try number("min", Double.self), let max = try number("max", Double.self), min <= max, (max - min).isFinite else {
                throw fail("feasibleSpace.min must not be above feasibleSpace.max, and both must be finite")
            }
            let step = try number("step", Double.self)
            if let step, !(step > 0 && step.isFinite) { throw fail("feasibleSpace.step must be above 0, found \(step)") }
            space = .double(min: min, max: max, step: step)
            lowest = min
        case "int":
            guard let min = try number("min", Int64.self), let max = try number("max", Int64.self), min <= max else {
                throw fail("feasibleSpace.min must not be above feasibleSpace.max")
            }
            // Sums and differences of such numbers never overflow, and a double holds them exactly.
            guard Swift.max(min.magnitude, max.magnitude) < 1 << 52 else { throw fail("feasibleSpace.min and max must be below 2^52") }
            let step = try number("step", Int64.self)
            if let step, step <= 0 || step >= 1 << 52 { throw fail("feasibleSpace.step must be above 0, found \(step)") }
            space = .int(min: min, max: max, step: step)
            lowest = Double(min)
        case "categorical", "discrete":
            let values = feasible["list"].elements.compactMap(\.stringValue)
            guard !values.isEmpty else { throw fail("feasibleSpace.list must not be empty") }
            guard Set(values).count == values.count else { throw fail("feasibleSpace.list must not have a value twice") }
            space = .list(values)
            lowest = 1
        case let type: throw fail("parameterType \(type ?? "") is not supported")
        }
        if distribution == .logUniform || distribution == .logNormal, lowest <= 0 {
            throw fail("a \(distribution.rawValue) distribution needs feasibleSpace.min above 0, found \(feasible["min"].stringValue ?? "")")
        }
    }

    // MARK: Drawing

    /// A random value as text.
    func draw(using generator: inout some RandomNumberGenerator) -> String {
        switch (space, distribution) {
        case (.list(let values), _): return values[Int.random(in: values.indices, using: &generator)]
        case (.int(let min, let max, let step), .uniform):
            let step = step ?? 1
            return String(min + Int64.random(in: 0...((max - min) / step), using: &generator) * step)
        case (.double(let min, let max, let step), .uniform) where step == nil: return "\(Double.random(in: min...max, using: &generator))"
        case (_, .normal), (_, .logNormal):
            // As upstream maps a range to a normal: the mean in its middle, three deviations to either end. What falls
            // outside (upstream lets it) is drawn again: a feasible space is a promise.
            for _ in 0..<100 {
                let unit = 0.5 + Self.normal(using: &generator) / 6
                if (0...1).contains(unit) { return place(unit) }
            }
            return place(0.5)
        default: return value(at: Double.random(in: 0..<1, using: &generator))
        }
    }

    /// The value at a place of the unit interval, each as wide as it is likely; for `normal`, places are quantiles.
    /// - Parameter unit: 0..<1.
    func value(at unit: Double) -> String {
        switch (space, distribution) {
        case (.list(let values), _): return values[Swift.min(Int(unit * Double(values.count)), values.count - 1)]
        case (.int(let min, let max, let step), .uniform):
            let count = (max - min) / (step ?? 1) + 1
            return String(min + Swift.min(Int64(unit * Double(count)), count - 1) * (step ?? 1))
        case (.double(let min, let max, let step), .uniform):
            guard let step else { return "\(min + unit * (max - min))" }
            let count = ((max - min) / step + 1e-9).rounded(.down) + 1
            return stepped(min + Swift.min((unit * count).rounded(.down), count - 1) * step)
        case (_, .logUniform): return place(unit)
        case (_, .normal), (_, .logNormal): return place(Swift.min(Swift.max(0.5 + Self.quantile(unit) / 6, 0), 1))
        }
    }

    /// The value at a place between the ends of the range, on a logarithmic scale where the distribution has one.
    private func place(_ unit: Double) -> String {
        let (min, max, step): (Double, Double, Double?)
        switch space {
        case .double(let low, let high, let width): (min, max, step) = (low, high, width)
        case .int(let low, let high, let width): (min, max, step) = (Double(low), Double(high), Double(width ?? 1))
        case .list(let values): return values[Swift.min(Int(unit * Double(values.count)), values.count - 1)]
        }
        let isLogarithmic = distribution == .logUniform || distribution == .logNormal
        let exact = isLogarithmic ? exp(log(min) + unit * (log(max) - log(min))) : min + unit * (max - min)
        guard let step else { return "\(Swift.min(Swift.max(exact, min), max))" }
        let most = ((max - min) / step + 1e-9).rounded(.down)
        return stepped(min + Swift.min(((exact - min) / step).rounded(), most) * step)
    }

    /// Box and Muller's transformation of two uniform draws.
    private static func normal(using generator: inout some RandomNumberGenerator) -> Double {
        let first = Double.random(in: Double.leastNonzeroMagnitude...1, using: &generator)
        let second = Double.random(in: 0...1, using: &generator)
        return sqrt(-2 * log(first)) * cos(2 * .pi * second)
    }

    /// The standard normal's quantile: the place where its distribution function, from `erfc`, has this value (bisection).
    private static func quantile(_ unit: Double) -> Double {
        var (low, high) = (-6.0, 6.0)
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if erfc(-middle / sqrt(2)) / 2 < unit { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }

    // MARK: Counting

    /// How many values a grid has of it.
    /// - Throws: where there are endlessly many.
    func gridCount() throws(AlgorithmProblem) -> Int {
        switch space {
        case .list(let values): return values.count
        case .int(let min, let max, let step): return Int((max - min) / (step ?? 1)) + 1
        case .double(let min, let max, let step):
            guard let step else {
                throw AlgorithmProblem(description: "Param \(name) step is nil; For discrete search space, all parameters must include step")
            }
            let count = ((max - min) / step + 1e-9).rounded(.down)
            guard count < 1e15 else { throw AlgorithmProblem(description: "parameter \(name): a grid of \(count) values is too large") }
            return Int(count) + 1
        }
    }

    /// - Parameter index: below `gridCount`.
    func gridValue(at index: Int) -> String {
        switch space {
        case .list(let values): return values[index]
        case .int(let min, _, let step): return String(min + Int64(index) * (step ?? 1))
        case .double(let min, _, let step): return stepped(min + Double(index) * (step ?? 0))
        }
    }

    private func stepped(_ value: Double) -> String {
        if case .int = space { return String(Int64(value.rounded())) }
        return "\(Self.tidy(value))"
    }

    /// Without the last digits that sums of steps leave behind: 0.1 + 2 × 0.1 is 0.3.
    private static func tidy(_ value: Double) -> Double {
        guard value != 0 else { return 0 }
        let scale = pow(10, 12 - log10(abs(value)).rounded(.up))
        guard scale.isFinite, scale > 0 else { return value }
        let result = (value * scale).rounded() / scale
        return result.isFinite ? result : value
    }
}
