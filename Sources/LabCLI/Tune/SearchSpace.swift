import KubeModel

/// One option of a training script, as `lab tune` was given it: a range, a choice, or one value for all trials.
struct TunedOption: Sendable, Equatable {
    enum Value: Sendable, Equatable {
        case integers(min: Int, max: Int, step: Int?, isLogarithmic: Bool)
        /// As the user wrote the numbers, so that the manifest says the same.
        case doubles(min: String, max: String, step: String?, isLogarithmic: Bool)
        case numbers([String])
        case words([String])
        case constant(String)
        /// A switch without a value.
        case flag
    }

    /// Without its dashes.
    var name: String
    /// `--`, or `-` for an option of one letter.
    var dashes: String
    var value: Value
    /// Whether name and value are one word, `--lr=0.1`.
    var isJoined: Bool

    var isTuned: Bool {
        switch value {
        case .constant, .flag: false
        default: true
        }
    }

    /// The words for the script's command line, with Katib's placeholder in the value's place.
    var words: [String] {
        let option = dashes + name
        let text: String
        switch value {
        case .flag: return [option]
        case .constant(let value): text = value
        default: text = "${trialParameters.\(name)}"
        }
        return isJoined ? ["\(option)=\(text)"] : [option, text]
    }

    /// Katib's parameter (v1beta1 ParameterSpec); `nil` for what is not tuned.
    var parameter: JSON? {
        func made(_ type: String, _ space: JSON) -> JSON { ["name": .string(name), "parameterType": .string(type), "feasibleSpace": space] }
        switch value {
        case .integers(let min, let max, let step, let isLogarithmic):
            var space: JSON = ["min": .string("\(min)"), "max": .string("\(max)")]
            if let step { space["step"] = .string("\(step)") }
            if isLogarithmic { space["distribution"] = "logUniform" }
            return made("int", space)
        case .doubles(let min, let max, let step, let isLogarithmic):
            var space: JSON = ["min": .string(min), "max": .string(max)]
            if let step { space["step"] = .string(step) }
            if isLogarithmic { space["distribution"] = "logUniform" }
            return made("double", space)
        case .numbers(let list): return made("discrete", ["list": .array(list.map(JSON.string))])
        case .words(let list): return made("categorical", ["list": .array(list.map(JSON.string))])
        case .constant, .flag: return nil
        }
    }
}

/// Reads what a user writes behind an option: `1e-4..1e-1:log`, `2..8`, `16..256:step=16`, `sgd,adam`, `5`.
enum SearchSpace {
    /// - Parameter option: with its dashes, for messages.
    static func value(_ text: String, of option: String) throws(CommandError) -> TunedOption.Value {
        func wrong(_ what: String) -> CommandError { CommandError("\(option) \(text): \(what)", status: 64) }
        if let dots = text.range(of: "..") {
            let low = String(text[..<dots.lowerBound])
            var parts = text[dots.upperBound...].split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            let high = parts.removeFirst()
            var step: String?
            var isLogarithmic = false
            for part in parts {
                switch part {
                case "log": isLogarithmic = true
                case let part where part.hasPrefix("step="): step = String(part.dropFirst(5))
                default: throw wrong("behind a range ':log' or ':step=NUMBER' may stand, found ':\(part)'")
                }
            }
            return try range(low, high, step, isLogarithmic, wrong)
        }
        guard text.contains(",") else { return .constant(text) }
        let list = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        if list.contains("") { throw wrong("an element of the list is empty") }
        if Set(list).count < list.count { throw wrong("an element stands twice in the list") }
        return list.allSatisfy { number($0) != nil } ? .numbers(list) : .words(list)
    }

    private static func range(
        _ low: String, _ high: String, _ step: String?, _ isLogarithmic: Bool, _ wrong: (String) -> CommandError
    ) throws(CommandError) -> TunedOption.Value {
        guard let min = number(low), let max = number(high) else {
            throw wrong("expected two numbers around '..', found '\(low)' and '\(high)'")
        }
        guard min < max else { throw wrong("the range is empty: \(low) is not less than \(high)") }
        if isLogarithmic, min <= 0 { throw wrong("a range with ':log' must begin above 0") }
        if let step {
            guard let size = number(step), size > 0 else { throw wrong("a step must be a number above 0, found '\(step)'") }
            guard size <= max - min else { throw wrong("the step \(step) is longer than the range") }
        }
        if let min = Int(low), let max = Int(high), step.map({ Int($0) != nil }) ?? true {
            return .integers(min: min, max: max, step: step.flatMap { Int($0) }, isLogarithmic: isLogarithmic)
        }
        return .doubles(min: low, max: high, step: step, isLogarithmic: isLogarithmic)
    }

    private static func number(_ text: String) -> Double? { Double(text).flatMap { $0.isFinite ? $0 : nil } }

    /// Takes the words that are none of lab's own options apart: one script, and options for it.
    ///
    /// - Returns: the script, and the options in their order.
    static func read(_ words: [String]) throws(CommandError) -> (script: String, options: [TunedOption]) {
        var script: String?
        var options: [TunedOption] = []
        var rest = words[...]
        while let word = rest.popFirst() {
            guard word.hasPrefix("-"), word.count > 1, number(word) == nil else {
                if let script {
                    throw CommandError("expected one script, found '\(script)' and '\(word)': a value stands behind its option, --NAME VALUE", status: 64)
                }
                script = word
                continue
            }
            let dashes = word.hasPrefix("--") ? "--" : "-"
            let body = word.dropFirst(dashes.count)
            let name = String(body.prefix { $0 != "=" })
            guard let first = name.unicodeScalars.first, first.isASCII, first.properties.isAlphabetic,
                name.unicodeScalars.allSatisfy({ $0.isASCII && ($0.properties.isAlphabetic || "0123456789-_.".unicodeScalars.contains($0)) })
            else { throw CommandError("'\(word)' is not the name of an option", status: 64) }
            if options.contains(where: { $0.name == name }) { throw CommandError("\(dashes)\(name) is given twice", status: 64) }
            if body.contains("=") {
                let value = String(body.dropFirst(name.count + 1))
                options.append(TunedOption(name: name, dashes: dashes, value: try Self.value(value, of: dashes + name), isJoined: true))
            } else if let next = rest.first, !next.hasPrefix("-") || next.contains("..") || number(next) != nil {
                rest.removeFirst()
                options.append(TunedOption(name: name, dashes: dashes, value: try Self.value(next, of: dashes + name), isJoined: false))
            } else {
                options.append(TunedOption(name: name, dashes: dashes, value: .flag, isJoined: false))
            }
        }
        guard let script else { throw CommandError("expected a script, as in: lab tune train.py --lr 1e-4..1e-1:log --maximize accuracy", status: 64) }
        guard options.contains(where: \.isTuned) else {
            throw CommandError("nothing is to be tuned: give an option of \(script) a range or a list, as in --lr 1e-4..1e-1:log or --opt sgd,adam", status: 64)
        }
        return (script, options)
    }
}
