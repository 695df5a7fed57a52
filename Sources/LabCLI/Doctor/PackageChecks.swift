/// The packages of etc/setup/packages.txt.
struct PackageChecks {
    let environment: [String: String]
    /// The list's text.
    let list: String
    /// Whether this is a source tree, where what building needs is needed too.
    let forBuilding: Bool

    /// The list without remarks.
    static func names(in list: String, forBuilding: Bool) -> [String] {
        list.split(separator: "\n").compactMap { line in
            let words = line.prefix { $0 != "#" }.split(separator: " ")
            if words.first == "build" { return forBuilding ? words.dropFirst().first.map(String.init) : nil }
            return words.first.map(String.init)
        }
    }

    var finding: Finding {
        let name = "packages"
        let names = Self.names(in: list, forBuilding: forBuilding)
        // Ubuntu 24.04 renamed some libraries with a t64 ending.
        let query = ["dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package}\\n"] + names.flatMap { [$0, $0 + "t64"] }
        guard let answer = ProgramRun.run(query, environment: environment) else {
            return .limited(
                name, "this is no Debian or Ubuntu: see that what corresponds to these is there: \(names.joined(separator: " "))")
        }
        var installed: Set<Substring> = []
        for line in answer.output.split(separator: "\n") where line.hasPrefix("ii") || line.hasPrefix("hi") {
            if let package = line.split(separator: " ").last { installed.insert(package.prefix { $0 != ":" }) }
        }
        let lacking = names.filter { !installed.contains($0[...]) && !installed.contains("\($0)t64"[...]) }
        if lacking.isEmpty { return .present(name, "all \(names.count) of the list") }
        return .missing(
            name, "not installed: \(lacking.joined(separator: " "))",
            "sudo apt-get update && sudo apt-get install -y --no-install-recommends \(lacking.joined(separator: " "))")
    }
}
