import Glibc
import KubeModel

/// This machine's true capacity and identity.
struct Machine: Sendable, Equatable {
    var millicores: Int
    var memoryBytes: Int
    var storageBytes: Int
    var devices: DeviceInventory
    var kernel: String
    var system: String
    var machineID: String
    var bootID: String
    /// As Go names it: `amd64`, `arm64`.
    var architecture: String

    /// Looks at the machine. Control groups may give the daemon less than all of it: that counts.
    static func current(_ settings: NodeSettings) -> Machine {
        var file = statvfs()
        statvfs(settings.stateDirectory, &file)
        var name = utsname()
        uname(&name)
        let total = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
        return Machine(
            millicores: max(1, affinityCount()) * 1000, memoryBytes: min(total, memoryLimit() ?? total),
            storageBytes: Int(file.f_blocks) * Int(file.f_frsize),
            devices: .found(extra: settings.deviceDirectories, slices: settings.gpuSlices),
            kernel: text(name.release), system: release(), machineID: line("/etc/machine-id"),
            bootID: line("/proc/sys/kernel/random/boot_id"), architecture: goArchitecture(text(name.machine)))
    }

    var capacity: Amounts {
        var capacity: Amounts = [
            "cpu": Quantity(milli: millicores), "memory": Quantity(memoryBytes / 1024 * 1024, format: .binarySI),
            "ephemeral-storage": Quantity(storageBytes / 1024 * 1024, format: .binarySI),
        ]
        capacity.merge(devices.amounts) { own, _ in own }
        return capacity
    }

    /// The capacity less the reserve, which never takes more than a tenth of a small machine.
    func allocatable(_ settings: NodeSettings) -> Amounts {
        var amounts = capacity
        amounts["cpu"] = Quantity(milli: millicores - min(settings.reservedMillicores, millicores / 10))
        let memory = memoryBytes - min(settings.reservedMemoryBytes, memoryBytes / 10)
        amounts["memory"] = Quantity(memory / 1024 * 1024, format: .binarySI)
        amounts["ephemeral-storage"] = Quantity(storageBytes / 10 * 9 / 1024 * 1024, format: .binarySI)
        amounts["pods"] = Quantity(settings.maximumPods)
        return amounts
    }

    /// The processors that the daemon may run on, which may be fewer than there are.
    private static func affinityCount() -> Int {
        for entry in (Files.text("/proc/self/status") ?? "").split(separator: "\n") where entry.hasPrefix("Cpus_allowed_list:") {
            return count(inList: entry.dropFirst(18))
        }
        return sysconf(Int32(_SC_NPROCESSORS_ONLN))
    }

    /// How many numbers a list such as `0-3,8` has.
    static func count(inList list: Substring) -> Int {
        list.split(whereSeparator: { $0 == "," || $0.isWhitespace }).reduce(0) { total, range in
            let ends = range.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last, last >= first else { return total }
            return total + last - first + 1
        }
    }

    private static func memoryLimit() -> Int? {
        for path in ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"] {
            if let limit = Int(line(path)), limit > 0 { return limit }
        }
        return nil
    }

    private static func release() -> String {
        for entry in (Files.text("/etc/os-release") ?? "").split(separator: "\n") where entry.hasPrefix("PRETTY_NAME=") {
            return String(entry.dropFirst(12)).filter { $0 != "\"" }
        }
        return "Linux"
    }

    private static func goArchitecture(_ machine: String) -> String {
        switch machine {
        case "x86_64": "amd64"
        case "aarch64": "arm64"
        default: machine
        }
    }

    private static func line(_ path: String) -> String {
        (Files.text(path) ?? "").split(separator: "\n").first.map(String.init) ?? ""
    }

    private static func text<Field>(_ field: Field) -> String {
        withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
