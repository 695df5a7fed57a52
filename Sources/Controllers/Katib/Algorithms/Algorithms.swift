import Catalogue
import KubeModel

/// The algorithms by the names of `spec.algorithm.algorithmName`, and what upstream's services demand of their settings.
enum Algorithms {
    /// Where an algorithm is worked out.
    enum Place: Sendable {
        /// In this process.
        case native
        /// In a service of its own: a pod with this image, one for each Experiment.
        case service(image: String)
    }

    /// All that upstream's katib-config names.
    static let places: [String: Place] = [
        "random": .native, "grid": .native, "sobol": .native, "hyperband": .native, "darts": .native,
        "tpe": .service(image: images + "hyperopt"), "multivariate-tpe": .service(image: images + "optuna"),
        "cmaes": .service(image: images + "goptuna"), "bayesianoptimization": .service(image: images + "skopt"),
        "enas": .service(image: images + "enas"), "pbt": .native,
    ]

    private static let images = "docker.io/kubeflowkatib/suggestion-"

    /// Of this lab, and of the user's own services.
    static func names(_ config: KatibConfig) -> [String] { Set(places.keys).union(config.suggestions).sorted() }

    /// The container of the service that works an algorithm out, and its entry in katib-config; `nil` where none does.
    static func service(_ name: String, _ config: KatibConfig, experiment: StoredObject) -> (container: JSON, entry: JSON)? {
        func container(_ entry: JSON) -> JSON {
            KatibConfig.container(entry, name: ServiceAlgorithm.container, port: ServicePod.suggestionPort, portName: "suggestion-api")
        }
        if let entry = config.suggestion(name) { return (container(entry), entry) }
        switch places[name] {
        case .service(let image):
            // An Experiment that sets no random_state draws by its own seed, and by the same in a later pod.
            let seed = String(experiment.uid.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }, radix: 16)
            let env: JSON = [["name": "KINDLING_SEED", "value": .string(seed)]]
            return (container(["image": .string(image), "args": [.string(name)], "env": env]), .null)
        default: return nil
        }
    }

    /// Checks the settings and makes an algorithm of this process.
    /// - Returns: `nil` where it is worked out elsewhere.
    static func make(for experiment: JSON) throws(AlgorithmProblem) -> (any SuggestionAlgorithm)? {
        let spec = experiment["spec"]
        let name = spec["algorithm"]["algorithmName"].stringValue ?? ""
        let settings = AlgorithmSettings(spec["algorithm"]["algorithmSettings"], algorithm: name)
        if name == "darts" { return try DartsSearch(spec, settings) }
        if name == "enas" {
            try NASRules.checkENAS(spec, settings)
            return nil
        }
        let names = spec["parameters"].elements.compactMap { $0["name"].stringValue }
        if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
            throw AlgorithmProblem(description: "Detect duplicated parameter name: \(twice)")
        }
        let space = try spec["parameters"].elements.map { (parameter) throws(AlgorithmProblem) in try SearchParameter(parameter) }
        let seed = experiment["metadata"]["uid"].stringValue ?? ""
        switch name {
        case "random": return try RandomSearch(space, settings, seedText: seed)
        case "grid": return try GridSearch(space, settings, maxTrialCount: spec["maxTrialCount"].intValue)
        case "sobol": return try SobolSearch(space)
        case "hyperband": return try Hyperband(space, settings, spec: spec, seedText: seed)
        case "tpe": try settings.checkTPE()
        case "multivariate-tpe": try settings.checkMultivariateTPE()
        case "cmaes": try settings.checkCMAES(spec["parameters"].elements)
        case "bayesianoptimization": try settings.checkBayesianOptimization()
        case "pbt": return try PopulationBased(space, settings, spec: spec, seedText: seed)
        default: throw AlgorithmProblem(description: "unknown algorithm name \(name)")
        }
        return nil
    }

    /// A seed for an Experiment that sets none: its own, and the same after a crash.
    static func seed(_ settings: AlgorithmSettings, _ text: String) throws(AlgorithmProblem) -> UInt64 {
        try settings.randomState() ?? text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
}
