import Glibc

extension SandboxStatistics {
    /// Reads the groups of a container, and for what they do not tell its processes.
    static func read(groups: [String], initPID: Int32) throws(SandboxError) -> SandboxStatistics {
        var statistics = SandboxStatistics(cpuNanoseconds: 0, memoryBytes: 0, memoryPeakBytes: 0, pids: 0)
        var known: (cpu: Bool, memory: Bool, pids: Bool) = (false, false, false)
        for group in groups {
            guard let separator = group.firstIndex(of: "=") else { continue }
            let directory = group[group.index(after: separator)...]
            switch ControlGroups.Kind(rawValue: String(group[..<separator])) {
            case .unified:
                if let stat = keyed("\(directory)/cpu.stat"), let usage = stat["usage_usec"] {
                    (statistics.cpuNanoseconds, known.cpu) = (usage * 1000, true)
                }
                if let used = number("\(directory)/memory.current") {
                    let idle = keyed("\(directory)/memory.stat")?["inactive_file"] ?? 0
                    (statistics.memoryBytes, known.memory) = (used - min(idle, used), true)
                    statistics.memoryPeakBytes = number("\(directory)/memory.peak") ?? 0
                }
                if let count = number("\(directory)/pids.current") { (statistics.pids, known.pids) = (count, true) }
            case .memory:
                if let used = number("\(directory)/memory.usage_in_bytes") {
                    let idle = keyed("\(directory)/memory.stat")?["total_inactive_file"] ?? 0
                    (statistics.memoryBytes, known.memory) = (used - min(idle, used), true)
                    statistics.memoryPeakBytes = number("\(directory)/memory.max_usage_in_bytes") ?? 0
                }
            case .pids:
                if let count = number("\(directory)/pids.current") { (statistics.pids, known.pids) = (count, true) }
            case .cpu, .cpuacct:
                if let usage = number("\(directory)/cpuacct.usage") { (statistics.cpuNanoseconds, known.cpu) = (usage, true) }
            case nil: continue
            }
        }
        if known.cpu && known.memory && known.pids { return statistics }
        let tree = try ProcessTree.measure(root: initPID)
        if !known.cpu { statistics.cpuNanoseconds = tree.cpuNanoseconds }
        if !known.memory { statistics.memoryBytes = tree.memoryBytes }
        if !known.pids { statistics.pids = tree.pids }
        return statistics
    }

    private static func number(_ path: String) -> UInt64? {
        guard let text = try? readSmallFile(path) else { return nil }
        return UInt64(text.prefix(while: \.isNumber))
    }

    private static func keyed(_ path: String) -> [Substring: UInt64]? {
        guard let text = try? readSmallFile(path) else { return nil }
        var values: [Substring: UInt64] = [:]
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields.count == 2, let value = UInt64(fields[1]) { values[fields[0]] = value }
        }
        return values
    }
}

/// Sums over the processes of a container's pid namespace, for machines without usable control groups.
enum ProcessTree {
    static func measure(root: Int32) throws(SandboxError) -> SandboxStatistics {
        var statistics = SandboxStatistics(cpuNanoseconds: 0, memoryBytes: 0, memoryPeakBytes: 0, pids: 0)
        guard let namespace = pidNamespace(String(root)), let stream = opendir("/proc") else {
            throw .system(operation: "read the processes of container init \(root)", errno: ESRCH)
        }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            guard name.first?.isNumber == true, pidNamespace(name) == namespace else { continue }
            add(name, to: &statistics)
        }
        return statistics
    }

    /// Nil for what is gone, and for other users' processes, which are none of ours.
    private static func pidNamespace(_ pid: String) -> UInt? {
        var info = stat()
        return stat("/proc/\(pid)/ns/pid", &info) == 0 ? UInt(info.st_ino) : nil
    }

    private static func add(_ pid: String, to statistics: inout SandboxStatistics) {
        let tick = UInt64(1_000_000_000 / max(sysconf(Int32(_SC_CLK_TCK)), 1))
        let page = UInt64(max(sysconf(Int32(_SC_PAGESIZE)), 1))
        guard let stat = try? readSmallFile("/proc/\(pid)/stat"), let close = stat.lastIndex(of: ")") else { return }
        let fields = stat[stat.index(after: close)...].split(separator: " ")
        // Fields 14 to 17 and 20 of proc(5): the first after the name is the third, its state.
        guard fields.count > 17 else { return }
        statistics.cpuNanoseconds += fields[11...14].compactMap { UInt64($0) }.reduce(0, +) * tick
        statistics.pids += UInt64(fields[17]) ?? 1
        if let memory = try? readSmallFile("/proc/\(pid)/statm") {
            let pages = memory.split(separator: " ").compactMap { UInt64($0.trimmingNewline) }
            if pages.count > 2 { statistics.memoryBytes += (pages[1] - min(pages[2], pages[1])) * page }
        }
    }
}

extension Substring {
    fileprivate var trimmingNewline: Substring { hasSuffix("\n") ? dropLast() : self }
}
