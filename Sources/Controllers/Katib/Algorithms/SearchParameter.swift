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
        func number<T: LosslessStringConvertible>(_ key: String, _ type: T.Type) throws(AlgorithmProblem) -> T? {
            guard let text = feasible[key].stringValue, !text.isEmpty else { return nil }
            guard let value = T(text) else {
                throw AlgorithmProblem(description: "parameter \(name): feasibleSpace.\(key) must be a number of its parameterType, found \"\(text)\"")
            }
            return value
        }
        switch json["parameterType"].stringValue {
        case "double":
            guard let min = try number("min", Double.self), let max = try number("max", Double.self), min <= max, min.isFinite, max.isFinite else {
                throw AlgorithmProblem(description: "parameter \(name): feasibleSpace.min must not be above feasibleSpace.max")
            }
            space = .double(min: min, max: max, step: try number("step", Double.self).flatMap { $0 > 0 ? $0 : nil })
        case "int":
            guard let min = try number("min", Int64.self), let max = try number("max", Int64.self), min <= max else {
                throw AlgorithmProblem(description: "parameter \(name): feasibleSpace.min must not be above feasibleSpace.max")
            }
            space = .int(min: min, max: max, step: try number("step", Int64.self).flatMap { $0 > 0 ? $0 : nil })
        case "categorical", "discrete":
            let values = feasible["list"].elements.compactMap(\.stringValue)
            guard !values.isEmpty else { throw AlgorithmProblem(description: "parameter \(name): feasibleSpace.list must not be empty") }
            space = .list(values)
        case let type:
            throw AlgorithmProblem(description: "parameter \(name): parameterType \(type ?? "") is not supported")
        }
        if distribution == .logUniform, case .double(let min, _, _) = space, min <= 0 {
            throw AlgorithmProblem(description: "parameter \(name): a logUniform distribution needs feasibleSpace.min above 0, found \(min)")
        }
        if distribution == .logUniform, case .int(let min, _, _) = space, min <= 0 {
            throw AlgorithmProblem(description: "parameter \(name): a logUniform distribution needs feasibleSpace.min above 0, found \(min)")
        }
    }

    // MARK: Drawing

    /// A random value as text.
    func draw(using generator: inout some RandomNumberGenerator) -> String {
        switch space {
        case .list(let values): return values[Int.random(in: values.indices, using: &generator)]
        case .double(let min, let max, let step):
            let value = draw(min, max, using: &generator)
            guard let step else { return "\(value)" }
            let stepped = min + ((value - min) / step).rounded() * step
            return "\(Swift.min(Swift.max(stepped, min), max))"
        case .int(let min, let max, let step):
            if distribution == .uniform {
                guard let step else { return String(Int64.random(in: min...max, using: &generator)) }
                return String(min + Int64.random(in: 0...((max - min) / step), using: &generator) * step)
            }
            let value = draw(Double(min), Double(max), using: &generator)
            let step = step ?? 1
            let stepped = min + Int64(((value - Double(min)) / Double(step)).rounded()) * step
            return String(Swift.min(Swift.max(stepped, min), max))
        }
    }

    private func draw(_ min: Double, _ max: Double, using generator: inout some RandomNumberGenerator) -> Double {
        guard min < max else { return min }
        switch distribution {
        case .uniform: return Double.random(in: min...max, using: &generator)
        case .logUniform: return exp(Double.random(in: log(min)...log(max), using: &generator))
        case .normal, .logNormal:
            // As upstream maps a range to a normal: the mean in its middle, three deviations to either end.
            let (low, high) = distribution == .logNormal ? (log(Swift.max(min, 1e-12)), log(max)) : (min, max)
            let drawn = (low + high) / 2 + Self.normal(using: &generator) * (high - low) / 6
            let value = distribution == .logNormal ? exp(drawn) : drawn
            return Swift.min(Swift.max(value, min), max)
        }
    }

    /// Box and Muller's transformation of two uniform draws.
    private static func normal(using generator: inout some RandomNumberGenerator) -> Double {
        let first = Double.random(in: Double.leastNonzeroMagnitude...1, using: &generator)
        let second = Double.random(in: 0...1, using: &generator)
        return sqrt(-2 * log(first)) * cos(2 * .pi * second)
    }

    // MARK: Counting

    /// All values for a grid.
    /// - Throws: where there are endlessly many.
    func grid() throws(AlgorithmProblem) -> [String] {
        switch space {
        case .list(let values): return values
        case .int(let min, let max, let step): return stride(from: min, through: max, by: Int(step ?? 1)).map { String($0) }
        case .double(let min, let max, let step):
            guard let step else {
                throw AlgorithmProblem(description: "Param: \(name) step is nil; For discrete search space, all parameters must include step")
            }
            let count = Int(((max - min) / step + 1e-9).rounded(.down))
            return (0...count).map { "\(Self.tidy(min + Double($0) * step))" }
        }
    }

    /// Without the last digits that sums of steps leave behind: 0.1 + 2 × 0.1 is 0.3.
    private static func tidy(_ value: Double) -> Double {
        guard value != 0 else { return 0 }
        let scale = pow(10, 12 - log10(abs(value)).rounded(.up))
        return (value * scale).rounded() / scale
    }
}
