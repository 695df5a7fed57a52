import Glibc

/// Finds a conda environment by name without running conda, which takes a second and may not be on labd's PATH.
enum CondaFinder {
    /// The prefix directory. `name` may also be a path. `base` is the installation itself.
    ///
    /// - Throws: ``ImageError/invalidArgument(_:)`` listing the names that were found.
    static func prefix(_ name: String) throws(ImageError) -> String {
        if name.contains("/") { return FileSystem.normalized(name, relativeTo: FileSystem.currentDirectory()) }
        let all = prefixes()
        if let found = all.first(where: { $0.name == name }) { return found.path }
        let names = all.map(\.name).joined(separator: ", ")
        throw .invalidArgument(
            "no conda environment named \(name) was found (\(all.isEmpty ? "none at all" : "there are: \(names)")). "
                + "Give its directory instead: --conda DIR, as `conda env list` shows it")
    }

    private static func prefixes() -> [(name: String, path: String)] {
        let home = environmentVariable("HOME") ?? "/"
        let usual = ["miniconda3", "miniforge3", "mambaforge", "anaconda3", "micromamba", ".local/share/mamba"]
        var roots = usual.map { "\(home)/\($0)" }
        roots += ["/opt/conda", "/opt/miniconda3", "/opt/miniforge3", "/opt/anaconda3"]
        if let root = environmentVariable("MAMBA_ROOT_PREFIX") { roots.insert(root, at: 0) }
        if let program = environmentVariable("CONDA_EXE") {
            roots.insert(FileSystem.directory(of: FileSystem.directory(of: program)), at: 0)
        }
        var found: [(name: String, path: String)] = []
        // The active one first, then those that conda itself remembers.
        if let active = environmentVariable("CONDA_PREFIX") { found.append((FileSystem.lastComponent(active), active)) }
        let remembered = (try? FileSystem.read("\(home)/.conda/environments.txt")) ?? []
        for line in String(decoding: remembered, as: UTF8.self).split(whereSeparator: \.isNewline) {
            let path = String(line)
            found.append((roots.contains(path) ? "base" : FileSystem.lastComponent(path), path))
        }
        for root in roots where FileSystem.isDirectory(root) {
            found.append(("base", root))
            found += FileSystem.names(in: "\(root)/envs").map { ($0, "\(root)/envs/\($0)") }
        }
        return found.filter { FileSystem.isDirectory("\($0.path)/conda-meta") }
    }
}
