import KubeModel

/// An image's configuration as a build changes it (image-spec, config.md), with the shell that SHELL chose.
struct BuildConfiguration: Sendable, Equatable {
    var variables: [Dockerfile.Pair] = []
    var entrypoint: [String] = []
    var command: [String] = []
    var workingDirectory = "/"
    var user = ""
    var labels: [Dockerfile.Pair] = []
    /// Such as `80/tcp`.
    var ports: [String] = []
    var volumes: [String] = []
    var stopSignal = ""
    var author = ""
    var shell = Self.defaultShell

    static let defaultShell = ["/bin/sh", "-c"]

    init() {}

    /// - Parameter image: a whole configuration, of which `config` counts.
    init(image: JSON) {
        let config = image["config"]
        for text in config["Env"].elements.compactMap(\.stringValue) {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            Self.set(parts[0], parts.count > 1 ? parts[1] : "", in: &variables)
        }
        entrypoint = config["Entrypoint"].elements.compactMap(\.stringValue)
        command = config["Cmd"].elements.compactMap(\.stringValue)
        workingDirectory = config["WorkingDir"].stringValue.flatMap { $0.isEmpty ? nil : $0 } ?? "/"
        user = config["User"].stringValue ?? ""
        labels = config["Labels"].members.map { Dockerfile.Pair(name: $0.key, value: $0.value.stringValue ?? "") }
        ports = Array(config["ExposedPorts"].members.keys)
        volumes = Array(config["Volumes"].members.keys)
        stopSignal = config["StopSignal"].stringValue ?? ""
        author = image["author"].stringValue ?? ""
        let shell = config["Shell"].elements.compactMap(\.stringValue)
        if !shell.isEmpty { self.shell = shell }
    }

    /// What an environment of this machine would start.
    init(_ environment: ResolvedEnvironment) {
        variables = environment.environmentVariables.map { Dockerfile.Pair(name: $0.name, value: $0.value) }
        entrypoint = environment.entrypoint
        command = environment.command
        workingDirectory = environment.workingDirectory
        user = environment.user
        stopSignal = environment.stopSignal
    }

    static func set(_ name: String, _ value: String, in pairs: inout [Dockerfile.Pair]) {
        if let index = pairs.firstIndex(where: { $0.name == name }) { pairs[index].value = value } else { pairs.append(Dockerfile.Pair(name: name, value: value)) }
    }

    func value(_ name: String) -> String? { variables.first { $0.name == name }?.value }

    /// Member names as image-spec has them; what is empty is left out.
    var json: JSON {
        var config: JSON = .object([:])
        func strings(_ words: [String]) -> JSON { .array(words.map { .string($0) }) }
        func set(_ words: [String]) -> JSON { .object(JSONObject(words.sorted().map { ($0, JSON.object([:])) }, uniquingKeysWith: { first, _ in first })) }
        if !user.isEmpty { config["User"] = .string(user) }
        if !ports.isEmpty { config["ExposedPorts"] = set(ports) }
        if !variables.isEmpty { config["Env"] = strings(variables.map { "\($0.name)=\($0.value)" }) }
        if !entrypoint.isEmpty { config["Entrypoint"] = strings(entrypoint) }
        if !command.isEmpty { config["Cmd"] = strings(command) }
        if !volumes.isEmpty { config["Volumes"] = set(volumes) }
        if workingDirectory != "/" { config["WorkingDir"] = .string(workingDirectory) }
        if !labels.isEmpty { config["Labels"] = JSON(strings: labels.sorted { $0.name < $1.name }.map { (key: $0.name, value: $0.value) }) }
        if !stopSignal.isEmpty { config["StopSignal"] = .string(stopSignal) }
        if shell != Self.defaultShell { config["Shell"] = strings(shell) }
        return config
    }
}
