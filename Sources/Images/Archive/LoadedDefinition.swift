import KubeModel

/// What a name of a loaded image stands for, as the file in `STATE/environments` that says so.
struct LoadedDefinition {
    /// Digest of the manifest, which names all content.
    let manifest: String
    let bytes: Int64
    /// Chain ids, lowest first.
    let layers: [String]
    let configuration: ImageConfiguration
    /// `uid:gid`
    let user: String
    /// What it stands on where that is no image, as lines of the definition.
    var base: [String] = []

    func text(name: String) -> String {
        func list(_ words: [String]) -> String { JSON.array(words.map(JSON.string)).text }
        var lines = [
            base.isEmpty ? "# Written by `lab image load` or `lab image build`." : "# Written by `lab image build`.",
            "images: \(list([name]))",
            "image: {manifest: \"\(manifest)\", bytes: \(bytes)}",
        ] + base
        if !layers.isEmpty { lines += ["# Topmost first.", "layers: \(list(layers.reversed()))"] }
        var seen: Set<String> = []
        // The last of two values counts, and a YAML mapping has each name once.
        let variables = configuration.variables.reversed().filter { seen.insert($0.name).inserted }.reversed()
        if !variables.isEmpty {
            lines.append("env:")
            for variable in variables { lines.append("  \(JSON.string(variable.name).text): \(JSON.string(variable.value).text)") }
        }
        if !configuration.entrypoint.isEmpty { lines.append("entrypoint: \(list(configuration.entrypoint))") }
        if !configuration.command.isEmpty { lines.append("cmd: \(list(configuration.command))") }
        if configuration.workingDirectory != "/" { lines.append("workingDir: \(JSON.string(configuration.workingDirectory).text)") }
        if !user.isEmpty { lines.append("user: \"\(user)\"") }
        if !configuration.stopSignal.isEmpty { lines.append("stopSignal: \(JSON.string(configuration.stopSignal).text)") }
        return lines.joined(separator: "\n") + "\n"
    }
}
