/// The programs that lie beside the running one.
struct Programs {
    let daemon: String
    let shim: String

    /// Finds `labd` and `lab-shim` beside this binary, or in `libexec/kindling` of its installation.
    static func locate() throws(CommandError) -> Programs {
        guard let own = SmallFile.realPath("/proc/self/exe"), let slash = own.lastIndex(of: "/") else {
            throw CommandError("cannot find out where this program lies: is /proc mounted?")
        }
        let directory = String(own[..<slash])
        func find(_ name: String) throws(CommandError) -> String {
            for candidate in ["\(directory)/\(name)", "\(directory)/../libexec/kindling/\(name)"] where SmallFile.isExecutable(candidate) {
                return candidate
            }
            throw CommandError("\(name) is not beside \(own): build with 'make build', or install both into one directory")
        }
        let programs = Programs(daemon: try find("labd"), shim: try find("lab-shim"))
        // The two are one program under two names; a build that renewed one only leaves a daemon of yesterday.
        if SmallFile.size(programs.daemon) != SmallFile.size(own) {
            Output.note("lab: warning: \(programs.daemon) is another build than \(own): 'make build' renews both")
        }
        return programs
    }
}

extension Programs {
    /// The path of a program in PATH; `nil` where there is none.
    static func find(_ name: String, _ environment: [String: String]) -> String? {
        if name.contains("/") { return SmallFile.isExecutable(name) ? name : nil }
        // Administrators' tools are not in every user's PATH.
        let path = (environment["PATH"] ?? "") + ":/usr/sbin:/sbin"
        return path.split(separator: ":").lazy.map { "\($0)/\(name)" }.first(where: SmallFile.isExecutable)
    }
}
