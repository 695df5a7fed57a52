import Glibc

/// What the kernel knows of this process, under the names that every Prometheus client uses.
enum ProcessMetrics {
    static var families: [MetricFamily] {
        var families: [MetricFamily] = []
        func add(_ name: String, _ kind: MetricFamily.Kind, _ help: String, _ value: Double?) {
            if let value { families.append(MetricFamily("process_\(name)", kind, help: help, value)) }
        }
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        // Behind the name in parentheses, which may hold anything: state is field 3 of proc(5).
        let stat = (text("/proc/self/stat") ?? "").split(separator: ")").last?.split(separator: " ").map { Double($0) } ?? []
        func field(_ number: Int) -> Double? { stat.indices.contains(number - 3) ? stat[number - 3] : nil }
        let boot = (text("/proc/stat") ?? "").split(separator: "\n").first { $0.hasPrefix("btime ") }.flatMap { Double($0.dropFirst(6)) }
        if let user = field(14), let system = field(15) {
            add("cpu_seconds_total", .counter, "User and system CPU time in seconds.", (user + system) / ticks)
        }
        if let boot, let start = field(22) { add("start_time_seconds", .gauge, "When the process started, in seconds since 1970.", boot + start / ticks) }
        add("virtual_memory_bytes", .gauge, "Virtual memory in bytes.", field(23))
        add("resident_memory_bytes", .gauge, "Resident memory in bytes.", field(24).map { $0 * Double(sysconf(Int32(_SC_PAGESIZE))) })
        add("open_fds", .gauge, "Open file descriptors.", openDescriptors)
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            add("max_fds", .gauge, "The most file descriptors that may be open.", Double(limit.rlim_cur))
        }
        return families
    }

    private static func text(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var text: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 8192)
        while true {
            let count = read(descriptor, &piece, piece.count)
            if count <= 0 { return String(decoding: text, as: UTF8.self) }
            text += piece[..<count]
        }
    }

    private static var openDescriptors: Double? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while let entry = readdir(directory) {
            // Neither `.` and `..` nor the one that looks.
            if entry.pointee.d_name.0 != CChar(bitPattern: UInt8(ascii: ".")) { count += 1 }
        }
        return Double(count - 1)
    }
}
