import Glibc

/// The control group hierarchies in which this lab may make groups: v2 where controllers are delegated to it, else v1's, one
/// by one; possibly none.
struct ControlGroups: Sendable {
    enum Kind: String, Sendable, CaseIterable {
        case unified, memory, pids, cpu, cpuacct
    }
    struct Hierarchy: Sendable, Equatable {
        var kind: Kind
        /// The lab's own group; containers are made below it.
        var parent: String
    }

    var hierarchies: [Hierarchy] = []
    /// Controllers of the unified hierarchy that containers get.
    var unifiedControllers: Set<String> = []

    static let none = ControlGroups()

    func limits(_ controller: Kind) -> Bool {
        unifiedControllers.contains(controller.rawValue) || hierarchies.contains { $0.kind == controller }
    }

    /// The groups of one container as `kind=directory`, which is how lab-shim takes them and the state record keeps them.
    func groups(named name: String) -> [String] {
        hierarchies.map { "\($0.kind.rawValue)=\($0.parent)/\(name)" }
    }

    /// Finds what may be used, makes the lab's own groups and removes empty leftovers below them.
    static func discover(instance: String) -> ControlGroups {
        guard let own = try? readSmallFile("/proc/self/cgroup"),
            let mounts = try? readSmallFile("/proc/self/mountinfo", limit: 1 << 22)
        else { return .none }
        let found = parse(ownGroups: own, mounts: mounts)
        let name = "kindling-\(instance)"
        if let unified = found.unified, let groups = adoptUnified(unified, name: name) { return groups }
        var groups = ControlGroups()
        for (kind, directory) in found.legacy where makeGroup("\(directory)/\(name)") {
            let parent = "\(directory)/\(name)"
            if groups.hierarchies.contains(where: { $0.parent == parent }) { continue }
            groups.hierarchies.append(Hierarchy(kind: kind, parent: parent))
            removeLeftovers(parent)
        }
        return groups
    }

    /// The calling process's own directory in each hierarchy that is mounted.
    static func parse(ownGroups: String, mounts: String) -> (unified: String?, legacy: [(Kind, String)]) {
        var pathByController: [Substring: Substring] = [:]
        for line in ownGroups.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            for controller in fields[1].split(separator: ",") { pathByController[controller] = fields[2] }
            if fields[1].isEmpty { pathByController[""] = fields[2] }
        }
        var unified: String?
        var legacy: [(Kind, String)] = []
        for line in mounts.split(separator: "\n") {
            guard let mount = MountLine(line), mount.type.hasPrefix("cgroup") else { continue }
            if mount.type == "cgroup2" {
                if unified == nil, let path = pathByController[""] { unified = mount.directory(of: path) }
                continue
            }
            for kind in [Kind.memory, .pids, .cpu, .cpuacct] where mount.options.contains(Substring(kind.rawValue)) {
                guard !legacy.contains(where: { $0.0 == kind }), let path = pathByController[Substring(kind.rawValue)] else { continue }
                if let directory = mount.directory(of: path) { legacy.append((kind, directory)) }
            }
        }
        return (unified, legacy)
    }

    private struct MountLine {
        var root: Substring
        var point: Substring
        var type: Substring
        var options: [Substring]

        init?(_ line: Substring) {
            let fields = line.split(separator: " ")
            guard fields.count >= 8, let dash = fields.firstIndex(of: "-"), dash + 3 < fields.count else { return nil }
            (root, point, type) = (fields[3], fields[4], fields[dash + 1])
            options = fields[dash + 3].split(separator: ",")
        }

        func directory(of path: Substring) -> String? {
            if root == "/" { return path == "/" ? String(point) : "\(point)\(path)" }
            guard path.hasPrefix(root) else { return nil }
            return "\(point)\(path.dropFirst(root.count))"
        }
    }

    /// v2: a group with processes cannot hand controllers to its children, so the daemon first moves into a leaf of its own.
    private static func adoptUnified(_ directory: String, name: String) -> ControlGroups? {
        let leaf = "/kindling-daemon"
        let base = directory.hasSuffix(leaf) ? String(directory.dropLast(leaf.count)) : directory
        guard let available = try? readSmallFile("\(base)/cgroup.controllers") else { return nil }
        let offered = Set(available.split(whereSeparator: { $0 == " " || $0 == "\n" }).map(String.init))
        let wanted = ["memory", "pids", "cpu"].filter(offered.contains)
        guard wanted.contains("memory") || wanted.contains("pids"), access("\(base)/cgroup.subtree_control", W_OK) == 0 else { return nil }
        if !enable(wanted, in: base) {
            guard makeGroup(base + leaf), moveProcesses(from: base, to: base + leaf), enable(wanted, in: base) else { return nil }
        }
        let parent = "\(base)/\(name)"
        guard makeGroup(parent), enable(wanted, in: parent) else { return nil }
        removeLeftovers(parent)
        return ControlGroups(hierarchies: [Hierarchy(kind: .unified, parent: parent)], unifiedControllers: Set(wanted))
    }

    private static func enable(_ controllers: [String], in directory: String) -> Bool {
        writeKernelFile("\(directory)/cgroup.subtree_control", controllers.map { "+\($0)" }.joined(separator: " ")) == 0
    }

    private static func moveProcesses(from: String, to: String) -> Bool {
        guard let list = try? readSmallFile("\(from)/cgroup.procs", limit: 1 << 20) else { return false }
        for pid in list.split(separator: "\n") {
            let code = writeKernelFile("\(to)/cgroup.procs", String(pid))
            if code != 0 && code != ESRCH { return false }
        }
        return true
    }

    private static func makeGroup(_ directory: String) -> Bool {
        guard mkdir(directory, 0o755) == 0 || errno == EEXIST else { return false }
        return access("\(directory)/cgroup.procs", W_OK) == 0
    }

    /// Groups whose supervisor was killed stay behind; the kernel refuses to remove those still in use. Names begin with the
    /// daemon's pid: those of a living one may be empty because they are new.
    private static func removeLeftovers(_ parent: String) {
        guard let stream = opendir(parent) else { return }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            guard entry.pointee.d_type == UInt8(DT_DIR) else { continue }
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix(while: { $0 != 0 }), as: UTF8.self)
            }
            guard let daemon = Int32(name.prefix(while: \.isNumber)), kill(daemon, 0) != 0, errno == ESRCH else { continue }
            rmdir("\(parent)/\(name)")
        }
    }
}
