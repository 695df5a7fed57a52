import Glibc

/// The user's ids, control groups, devices and disk.
struct HostChecks {
    let environment: [String: String]
    let isRoot: Bool
    let state: String
    let user: String
    let uid: Int

    var findings: [Finding] { (isRoot ? [] : [idRanges, uplink]) + [loopback, controlGroups, disk, python] }

    // MARK: Ids

    private var idRanges: Finding {
        let name = "several user ids within a pod"
        guard Programs.find("newuidmap", environment) != nil else {
            return .limited(name, "newuidmap is missing: files in pods belong to one id", "sudo apt-get install -y uidmap")
        }
        for file in ["/etc/subuid", "/etc/subgid"] {
            let text = ((try? SmallFile.readIfPresent(file)) ?? nil).map { String(decoding: $0, as: UTF8.self) } ?? ""
            if Self.rangeSize(in: text, user: user, uid: uid) == 0 {
                return .limited(
                    name, "\(file) has no range for \(user): files in pods belong to one id",
                    "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 \(user)")
            }
        }
        return .present(name, "newuidmap with ranges in /etc/subuid and /etc/subgid")
    }

    /// How many ids a user has by the lines of /etc/subuid: `name:first:count`.
    static func rangeSize(in text: String, user: String, uid: Int) -> Int {
        text.split(separator: "\n").reduce(0) { sum, line in
            let parts = line.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 3, parts[0] == user || parts[0] == "\(uid)", let count = Int(parts[2]), count > 0 else { return sum }
            return sum + count
        }
    }

    // MARK: Network

    private var loopback: Finding {
        let name = "the loopback interface, by which the lab is reached"
        return Loopback.isUp ? .present(name, "127.0.0.1") : .missing(name, "lo is down", Loopback.remedy)
    }

    private var uplink: Finding {
        let name = "a user's way to the world outside"
        guard let program = ["pasta", "slirp4netns"].first(where: { Programs.find($0, environment) != nil }) else {
            return .limited(name, "neither pasta nor slirp4netns is there: pods reach each other only", "sudo apt-get install -y passt")
        }
        if access("/dev/net/tun", R_OK | W_OK) != 0 {
            return .limited(
                name, "\(program) is there, and /dev/net/tun cannot be opened", "sudo modprobe tun; sudo chmod 0666 /dev/net/tun")
        }
        return .present(name, "\(program), /dev/net/tun")
    }

    // MARK: Control groups

    private var controlGroups: Finding {
        let name = "control groups, for limits of memory and cpu"
        let mounts = (((try? SmallFile.readIfPresent("/proc/self/mounts")) ?? nil).map { String(decoding: $0, as: UTF8.self) } ?? "").split(
            separator: "\n")
        var v1: Set<Substring> = []
        var unified: String?
        for mount in mounts {
            let words = mount.split(separator: " ")
            guard words.count > 3 else { continue }
            if words[2] == "cgroup2" { unified = String(words[1]) }
            if words[2] == "cgroup" { v1.formUnion(words[3].split(separator: ",")) }
        }
        let wanted: [Substring] = ["cpu", "memory", "pids"]
        if isRoot {
            if wanted.allSatisfy(v1.contains) { return .present(name, "version 1") }
            let offered = unified.map { controllers("\($0)/cgroup.controllers") } ?? []
            let lacking = wanted.filter { !offered.contains($0) && !v1.contains($0) }
            if lacking.isEmpty { return .present(name, "version 2") }
            return .limited(
                name, "no controller for \(lacking.joined(separator: ", ")): such limits do not hold",
                "boot with systemd.unified_cgroup_hierarchy=1")
        }
        guard let unified else {
            return .limited(name, "no version 2 tree: limits do not hold for a user's pods", "boot with systemd.unified_cgroup_hierarchy=1")
        }
        let own = "\(unified)/user.slice/user-\(uid).slice/user@\(uid).service"
        let delegated = access("\(own)/cgroup.procs", W_OK) == 0 ? controllers("\(own)/cgroup.controllers") : []
        let lacking = wanted.filter { !delegated.contains($0) }
        if lacking.isEmpty { return .present(name, "version 2, delegated to \(user)") }
        return .limited(
            name, "\(lacking.joined(separator: ", ")) not delegated to \(user): such limits do not hold",
            "sudo mkdir -p /etc/systemd/system/user@.service.d",
            "printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' | sudo tee /etc/systemd/system/user@.service.d/delegate.conf",
            "sudo systemctl daemon-reload, and log in again")
    }

    private func controllers(_ path: String) -> [Substring] {
        (((try? SmallFile.readIfPresent(path)) ?? nil).map { String(decoding: $0, as: UTF8.self) } ?? "").split(
            whereSeparator: \.isWhitespace)
    }

    // MARK: Disk and Python

    private var disk: Finding {
        var path = state
        while !SmallFile.exists(path), let slash = path.lastIndex(of: "/"), slash > path.startIndex { path = String(path[..<slash]) }
        if !SmallFile.exists(path) { path = "/" }
        let name = "disk space for \(state)"
        var space = statvfs()
        guard statvfs(path, &space) == 0 else { return .limited(name, String(cString: strerror(errno))) }
        let free = Int(space.f_bavail) * Int(space.f_frsize)
        if space.f_files > 0, space.f_favail < 10_000 {
            return .limited(name, "only \(space.f_favail) inodes free", "remove files, or lab --state DIR on another disk")
        }
        let detail = "\(TopTable.bytes(free)) free"
        if free < 256 << 20 { return .missing(name, detail, "free at least 2Gi, or use lab --state DIR on another disk") }
        return free < 2 << 30 ? .limited(name, detail, "2Gi are better: lab --state DIR takes another disk") : .present(name, detail)
    }

    private var python: Finding {
        let name = "Python with venv, for images of Python"
        guard
            let trial = ProgramRun.run(
                ["python3", "-c", "import ensurepip, venv, sys; print(sys.version.split()[0])"], environment: environment)
        else {
            return .missing(name, "python3 is missing", "sudo apt-get install -y python3 python3-venv")
        }
        return trial.status == 0
            ? .present(name, "Python \(trial.lastLine)") : .missing(name, trial.lastLine, "sudo apt-get install -y python3-venv")
    }
}
