import KubeModel
import Yams

/// The short form of a build, a YAML file for those who want an environment and not a Dockerfile:
///
///     from: python:3.11              # a name that 'lab image ls' lists; host (the default) is this machine's system
///     apt: [libgomp1]                # packages of a Debian base
///     pip:                           # or a list of requirements
///       requirements: requirements.txt
///       wheelhouse: wheels           # a directory of the context: nothing is asked of an index
///       index: https://mirror.example.com/simple
///     files: {train.py: /app/train.py, data/: /app/data/}
///     env: {LANG: C.UTF-8}
///     workdir: /app
///     user: "1000"
///     command: [python3, /app/train.py]
///
/// It becomes the instructions that a Dockerfile would have, so the cache and all else hold for both.
struct EnvironmentFile {
    /// For messages.
    let file: String
    let hasManyOwners: Bool

    /// The name of this machine's own system in `from`.
    static let host = "host"
    /// A place in a file system that is no part of the image.
    private static let place = "/dev/lab-build"

    private func failure(_ node: Node?, _ reason: String) -> ImageError { .build(file: file, line: node?.mark?.line ?? 1, reason: reason, status: 1) }

    /// - Throws: ``ImageError/build(file:line:reason:status:)`` with the line of the field that is wrong.
    func dockerfile(_ text: String) throws(ImageError) -> Dockerfile {
        let node: Node?
        do { node = try Yams.compose(yaml: text) } catch { throw failure(nil, "it is not YAML: \(error)") }
        guard let mapping = node?.mapping else { throw failure(node, "expected a mapping with from:, pip:, files: and others") }
        var fields: [String: (key: Node, value: Node)] = [:]
        for (key, value) in mapping {
            let name = key.string ?? ""
            guard Self.known.contains(name) else { throw failure(key, "unknown field \"\(name)\": expected \(Self.known.joined(separator: ", "))") }
            fields[name] = (key, value)
        }
        var stage = Dockerfile.Stage(base: try fields["from"].map { field throws(ImageError) in try string(field.value, "from") } ?? Self.host, line: 1)
        stage.line = fields["from"].flatMap { $0.key.mark?.line } ?? 1
        // What changes rarely comes first: the layers of it are then there already.
        for name in Self.known {
            guard let field = fields[name] else { continue }
            for (kind, text) in try steps(name, field.value, stage.base) {
                stage.steps.append(Dockerfile.Step(kind: kind, line: field.key.mark?.line ?? 1, text: text))
            }
        }
        var result = Dockerfile(file: file, stages: [stage])
        // Values are meant as they are written.
        result.escape = "\\"
        return result
    }

    /// In the order of their steps.
    private static let known = ["from", "apt", "pip", "env", "labels", "workdir", "files", "user", "entrypoint", "command"]

    private func steps(_ name: String, _ node: Node, _ base: String) throws(ImageError) -> [(Dockerfile.Kind, String)] {
        switch name {
        case "apt": return [try apt(try strings(node, name), node, base)]
        case "pip": return [try pip(node)]
        case "env": return [(.environment(try pairs(node, name)), "ENV \(summary(try pairs(node, name)))")]
        case "labels": return [(.label(try pairs(node, name)), "LABEL \(summary(try pairs(node, name)))")]
        case "workdir": return [(.workingDirectory(quoted(try string(node, name))), "WORKDIR \(try string(node, name))")]
        case "files": return try files(node)
        case "user": return [(.user(quoted(try string(node, name))), "USER \(try string(node, name))")]
        case "entrypoint": return [(.entrypoint(.exec(try strings(node, name))), "ENTRYPOINT \(list(try strings(node, name)))")]
        case "command":
            // One string is a line for the shell, a list is a program with its arguments.
            if let line = node.scalar?.string { return [(.command(.shell(line)), "CMD \(line)")] }
            return [(.command(.exec(try strings(node, name))), "CMD \(list(try strings(node, name)))")]
        default: return []
        }
    }

    // MARK: Packages

    private func apt(_ packages: [String], _ node: Node, _ base: String) throws(ImageError) -> (Dockerfile.Kind, String) {
        guard base != Self.host else {
            throw failure(node, "apt: the machine's own system cannot be added to from here: name a Debian image that was loaded in from:, or ask root for the packages")
        }
        guard hasManyOwners else {
            throw failure(node, "apt: packages need files of several owners, and this user has one id only: an administrator adds ranges to /etc/subuid and /etc/subgid")
        }
        for package in packages where package.isEmpty || package.hasPrefix("-") || !package.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "+-.:=~_".contains($0)) }) {
            throw failure(node, "apt: \"\(package)\" is no name of a package")
        }
        // Lists and logs say when it was done.
        let line =
            "test -f /var/lib/dpkg/status || { echo 'this base has no packages of its own: name a Debian image that was loaded in from:' >&2; exit 1; }; "
            + "export DEBIAN_FRONTEND=noninteractive; apt-get update && apt-get install -y --no-install-recommends \(packages.joined(separator: " "))"
            + " && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb /var/cache/ldconfig/aux-cache"
            + " /var/log/apt/* /var/log/dpkg.log /var/log/alternatives.log"
        return (.run(Dockerfile.Run(words: .exec(["/bin/sh", "-c", line]))), "RUN apt-get install \(packages.joined(separator: " "))")
    }

    private func pip(_ node: Node) throws(ImageError) -> (Dockerfile.Kind, String) {
        var words = [
            "/usr/bin/env", "PIP_BREAK_SYSTEM_PACKAGES=1", "PIP_ROOT_USER_ACTION=ignore", "python3", "-m", "pip", "install", "--no-cache-dir", "--no-input",
            "--disable-pip-version-check",
        ]
        var told: [String] = []
        var run = Dockerfile.Run(words: .exec([]))
        if let mapping = node.mapping {
            for (key, value) in mapping {
                switch key.string ?? "" {
                case "packages":
                    let packages = try requirements(value)
                    words += packages
                    told += packages
                case "requirements":
                    for (number, source) in try strings(value, "pip.requirements").enumerated() {
                        let target = "\(Self.place)/requirements-\(number).txt"
                        run.mounts.append(Dockerfile.Mount(kind: .bind(from: nil, source: quoted(source)), target: target))
                        words += ["-r", target]
                        told += ["-r", source]
                    }
                case "wheelhouse":
                    let source = try string(value, "pip.wheelhouse")
                    run.mounts.append(Dockerfile.Mount(kind: .bind(from: nil, source: quoted(source)), target: "\(Self.place)/wheelhouse"))
                    words += ["--no-index", "--find-links", "\(Self.place)/wheelhouse"]
                    told += ["--find-links", source]
                case "index":
                    let index = try string(value, "pip.index")
                    words += ["--index-url", index]
                    told += ["--index-url", index]
                case let other: throw failure(key, "unknown field \"pip.\(other)\": expected packages, requirements, wheelhouse or index")
                }
            }
        } else {
            let packages = try requirements(node)
            words += packages
            told = packages
        }
        run.words = .exec(words)
        return (.run(run), "RUN pip install \(told.joined(separator: " "))")
    }

    private func requirements(_ node: Node) throws(ImageError) -> [String] {
        let all = try strings(node, "pip")
        if let option = all.first(where: { $0.hasPrefix("-") }) { throw failure(node, "pip: \"\(option)\" is an option: write requirements, wheelhouse or index") }
        return all
    }

    // MARK: Files

    private func files(_ node: Node) throws(ImageError) -> [(Dockerfile.Kind, String)] {
        var result: [(Dockerfile.Kind, String)] = []
        guard let mapping = node.mapping else { throw failure(node, "files: expected a mapping of names in the context to places in the image") }
        for (key, value) in mapping {
            let source = try string(key, "files")
            let target = try string(value, "files.\(source)")
            let copy = Dockerfile.Copy(sources: [quoted(source)], destination: quoted(target))
            result.append((.copy(copy), "COPY \(source) \(target)"))
        }
        return result
    }

    // MARK: Values

    /// A dollar or a quote in a value is one.
    private func quoted(_ text: String) -> String {
        text.map { "\\$'\"".contains($0) ? "\\\($0)" : String($0) }.joined()
    }

    private func list(_ words: [String]) -> String { JSON.array(words.map { .string($0) }).text }

    private func summary(_ pairs: [Dockerfile.Pair]) -> String { pairs.map { "\($0.name)=\($0.value)" }.joined(separator: " ") }

    private func pairs(_ node: Node, _ name: String) throws(ImageError) -> [Dockerfile.Pair] {
        guard let mapping = node.mapping else { throw failure(node, "\(name): expected a mapping of names to values") }
        var result: [Dockerfile.Pair] = []
        for (key, value) in mapping {
            let word = try string(key, name)
            guard !word.isEmpty, !word.contains("=") else { throw failure(key, "\(name): a name is empty or has an =") }
            result.append(Dockerfile.Pair(name: quoted(word), value: quoted(try string(value, "\(name).\(word)"))))
        }
        return result
    }

    private func string(_ node: Node, _ name: String) throws(ImageError) -> String {
        guard let scalar = node.scalar else { throw failure(node, "\(name): expected a string") }
        return scalar.string
    }

    private func strings(_ node: Node, _ name: String) throws(ImageError) -> [String] {
        if let scalar = node.scalar { return [scalar.string] }
        guard let sequence = node.sequence else { throw failure(node, "\(name): expected a list of strings") }
        var result: [String] = []
        for element in sequence { result.append(try string(element, name)) }
        return result
    }
}
