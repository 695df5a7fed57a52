import Catalogue

/// Where one lab keeps its things. One directory given with `--state` moves it all, so two labs can run side by side.
public struct LabPaths: Sendable, Equatable {
    /// What must survive a reboot: catalogue, keys, volumes, pods' records and logs.
    public let state: String
    /// What ends with the machine: sockets, locks, records of processes.
    public let runtime: String

    /// - Parameter state: the directory of `--state`; its runtime directory is `run` in it, so that nothing is shared
    ///   between labs. Without it, root has /var/lib/kindling and /run/kindling, a user the XDG directories.
    /// - Parameter environment: of the process; `XDG_STATE_HOME`, `XDG_RUNTIME_DIR` and `HOME` are looked at.
    public init(state: String?, environment: [String: String], isRoot: Bool, currentDirectory: String) {
        if let state {
            let absolute = state.hasPrefix("/") ? state : "\(currentDirectory)/\(state)"
            self.state = Self.tidy(absolute)
            runtime = self.state + "/run"
        } else if isRoot {
            self.state = "/var/lib/kindling"
            runtime = "/run/kindling"
        } else {
            let home = environment["HOME"] ?? "/"
            self.state = (environment["XDG_STATE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "\(home)/.local/state") + "/kindling"
            // Without a session there is no XDG_RUNTIME_DIR: the state directory serves as well.
            runtime = environment["XDG_RUNTIME_DIR"].flatMap { $0.hasPrefix("/") ? $0 + "/kindling" : nil } ?? self.state + "/run"
        }
    }

    public init(state: String, runtime: String) {
        self.state = state
        self.runtime = runtime
    }

    public var catalogue: String { state + "/catalogue.sqlite" }
    public var keys: String { state + "/keys" }
    /// Users with bearer tokens of their own, each with a bcrypt hash; absent until somebody makes it.
    public var users: String { state + "/users" }
    public var kubeconfig: String { state + "/kubeconfig" }
    public var log: String { state + "/labd.log" }
    public var pods: String { state + "/pods" }
    /// What is kept of trials when their pods are gone.
    public var trials: String { state + "/trials" }
    /// Directories of the machine that pods may read, a line each; absent until the owner lends one.
    public var shared: String { state + "/shared" }
    public var volumes: String { state + "/volumes" }
    public var environments: String { state + "/environments" }
    public var settings: String { state + "/settings.yaml" }
    /// What a running labd says of itself: a `DaemonRecord`.
    public var record: String { runtime + "/labd.json" }
    public var helperSocket: String { runtime + "/helper.sock" }

    /// Why the lab cannot write anything, where its disk is full; `nil` where it is not.
    public var fullDisk: String? { DiskSpace.problem(state) }

    /// Without doubled or trailing slashes and `.` steps; symbolic links stay.
    private static func tidy(_ path: String) -> String {
        var steps: [Substring] = []
        for step in path.split(separator: "/") where step != "." {
            if step == ".." { _ = steps.popLast() } else { steps.append(step) }
        }
        return "/" + steps.joined(separator: "/")
    }
}
