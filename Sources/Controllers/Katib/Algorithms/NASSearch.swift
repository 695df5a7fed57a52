import KubeModel

/// Katib's `darts` (pkg/suggestion/v1beta1/nas/darts/service.py): the search itself is the trial's; every trial is given the
/// search space, the settings and the number of layers.
struct DartsSearch: IndexedAlgorithm {
    private let parameters: Assignment

    private static let defaults: [(String, JSON)] = [
        ("num_epochs", 50), ("w_lr", 0.025), ("w_lr_min", 0.001), ("w_momentum", 0.9), ("w_weight_decay", 0.0003), ("w_grad_clip", 5.0),
        ("alpha_lr", 0.0003), ("alpha_weight_decay", 0.001), ("batch_size", 128), ("num_workers", 4), ("init_channels", 16),
        ("print_step", 50), ("num_nodes", 4), ("stem_multiplier", 3),
    ]

    init(_ spec: JSON, _ settings: AlgorithmSettings) throws(AlgorithmProblem) {
        try NASRules.checkOperations(spec["nasConfig"]["operations"].elements)
        try NASRules.checkDarts(settings)
        var values = JSONObject()
        for (name, value) in Self.defaults { values[name] = value }
        for (name, value) in settings.list { values[name] = value == "None" ? .null : .string(value) }
        parameters = [
            ("algorithm-settings", Self.quoted(.object(values))), ("search-space", Self.quoted(Self.space(spec["nasConfig"]["operations"].elements))),
            ("num-layers", "\(spec["nasConfig"]["graphConfig"]["numLayers"].intValue ?? 0)"),
        ]
    }

    func assignment(at index: Int) -> Assignment? { parameters }

    private static func space(_ operations: [JSON]) -> JSON {
        var names: [JSON] = []
        for operation in operations {
            let type = operation["operationType"].stringValue ?? ""
            if type == "skip_connection" {
                names.append(.string(type))
            } else {
                for size in operation["parameters"][0]["feasibleSpace"]["list"].elements.compactMap(\.stringValue) {
                    names.append(.string("\(type)_\(size)x\(size)"))
                }
            }
        }
        return .array(names)
    }

    /// As Python prints JSON, with single quotes: upstream's trial programs put the double ones back.
    private static func quoted(_ value: JSON) -> String {
        switch value {
        case .object(let members): "{" + members.map { "'\($0.key)': \(quoted($0.value))" }.joined(separator: ", ") + "}"
        case .array(let elements): "[" + elements.map(quoted).joined(separator: ", ") + "]"
        case .string(let text): "'\(text)'"
        case .double(let number): "\(number)"
        default: value.text
        }
    }
}

/// What upstream's services for neural architecture search refuse (pkg/suggestion/v1beta1/nas).
enum NASRules {
    static func checkOperations(_ operations: [JSON]) throws(AlgorithmProblem) {
        func fail(_ problem: String, _ json: JSON) -> AlgorithmProblem { AlgorithmProblem(description: "\(problem):\n\(json.text)") }
        for operation in operations {
            if (operation["operationType"].stringValue ?? "").isEmpty { throw fail("Missing operationType in Operation", operation) }
            // Upstream's own example of darts on a GPU has none for skip_connection, which takes none.
            if operation["parameters"].elements.isEmpty, operation["operationType"].stringValue != "skip_connection" {
                throw fail("Missing ParameterConfigs in Operation", operation)
            }
            for parameter in operation["parameters"].elements {
                let space = parameter["feasibleSpace"]
                func isSet(_ key: String) -> Bool { !(space[key].stringValue ?? "").isEmpty }
                if (parameter["name"].stringValue ?? "").isEmpty { throw fail("Missing Name in ParameterConfig", parameter) }
                switch parameter["parameterType"].stringValue ?? "" {
                case "categorical", "discrete":
                    if space["list"].elements.isEmpty { throw fail("Missing List in ParameterConfig.feasibleSpace", parameter) }
                case "int", "double":
                    if !isSet("min"), !isSet("max") { throw fail("Missing Max and Min in ParameterConfig.feasibleSpace", parameter) }
                    if parameter["parameterType"].stringValue == "double", !(Double(space["step"].stringValue ?? "") ?? 0 > 0) {
                        throw fail("Step parameter should be > 0 in ParameterConfig.feasibleSpace", parameter)
                    }
                default: throw fail("Missing ParameterType in ParameterConfig", parameter)
                }
            }
        }
    }

    static func checkDarts(_ settings: AlgorithmSettings) throws(AlgorithmProblem) {
        let doubles = ["w_lr", "w_lr_min", "alpha_lr", "w_weight_decay", "alpha_weight_decay", "w_momentum", "w_grad_clip"]
        var rules: [String: AlgorithmSettings.Rule] = ["num_epochs": .int({ $0 > 0 }, "num_epochs should be greater than zero")]
        for name in doubles { rules[name] = .double({ $0 >= 0 }, "\(name) should be greater than or equal to zero") }
        rules["num_workers"] = .int({ $0 >= 0 }, "num_workers should be greater than or equal to zero")
        for name in ["init_channels", "print_step", "num_nodes", "stem_multiplier"] {
            rules[name] = .int({ $0 >= 1 }, "\(name) should be greater than or equal to one")
        }
        rules["batch_size"] = settings["batch_size"] == "None" ? .any : .int({ $0 >= 1 }, "batch_size should be greater than or equal to one")
        // Upstream lets settings pass that it does not know.
        for (name, _) in settings.list where rules[name] == nil { rules[name] = .any }
        try settings.check(rules)
    }

    static func checkENAS(_ spec: JSON, _ settings: AlgorithmSettings) throws(AlgorithmProblem) {
        let graph = spec["nasConfig"]["graphConfig"]
        func fail(_ what: String) -> AlgorithmProblem { AlgorithmProblem(description: "Missing \(what) in GraphConfig:\n\(graph.text)") }
        if graph["inputSizes"].elements.isEmpty { throw fail("InputSizes") }
        if graph["outputSizes"].elements.isEmpty { throw fail("OutputSizes") }
        if graph["numLayers"].intValue ?? 0 == 0 { throw fail("NumLayers") }
        try checkOperations(spec["nasConfig"]["operations"].elements)
        for (name, value) in settings.list { try checkENAS(name, value) }
        try ENASSpace.check(spec["nasConfig"])
    }

    /// Settings of the controller whose value is a whole number from 1, and those of a number above 0 with the greatest one
    /// (pkg/suggestion/v1beta1/nas/enas/AlgorithmSettings.py).
    private static let wholeSettings: Set<String> = ["controller_hidden_size", "controller_train_steps", "controller_log_every_steps"]
    private static let realSettings: [String: (most: Double, range: String)] = [
        "controller_temperature": (.infinity, "(0, inf)"), "controller_tanh_const": (.infinity, "(0, inf)"),
        "controller_entropy_weight": (.infinity, "(0.0, inf)"), "controller_baseline_decay": (1, "(0.0, 1.0)"),
        "controller_learning_rate": (1, "(0.0, 1.0)"), "controller_skip_target": (1, "(0.0, 1.0)"), "controller_skip_weight": (.infinity, "(0.0, inf)"),
    ]
    private static let mayBeNone: Set<String> = [
        "controller_temperature", "controller_tanh_const", "controller_entropy_weight", "controller_skip_weight",
    ]

    private static func checkENAS(_ name: String, _ value: String) throws(AlgorithmProblem) {
        func fail(_ problem: String) -> AlgorithmProblem { AlgorithmProblem(description: problem) }
        if wholeSettings.contains(name) {
            guard let number = Int(value) else {
                throw fail("Algorithm Setting \(name) must be int type: exception invalid literal for int() with base 10: '\(value)'")
            }
            if number < 1 { throw fail("Algorithm Setting \(name): \(number) with int type must be in range [1, inf)") }
        } else if let (most, range) = realSettings[name] {
            if value == "None", mayBeNone.contains(name) { return }
            guard let number = Double(value) else {
                throw fail("Algorithm Setting \(name) must be float type: exception could not convert string to float: '\(value)'")
            }
            guard number > 0, number <= most else { throw fail("Algorithm Setting \(name): \(number) with float type must be in range \(range)") }
        } else {
            throw fail("Unknown Algorithm Setting name: \(name)")
        }
    }
}
