import Catalogue
public import KubeModel

/// What a container, a pod or the machine uses.
public struct UsageFigures: Sendable, Equatable {
    public var cpuNanocores: Int
    public var memoryBytes: Int
    /// Thousandths of a core.
    public var cpuMillicores: Int { (cpuNanocores + 500_000) / 1_000_000 }
}

/// What a pod uses of the machine.
public struct PodUsage: Sendable {
    public let namespace: String
    public let name: String
    public let containers: [(name: String, figures: UsageFigures)]
    public var cpuMillicores: Int { (containers.reduce(0) { $0 + $1.figures.cpuNanocores } + 500_000) / 1_000_000 }
    public var memoryBytes: Int { containers.reduce(0) { $0 + $1.figures.memoryBytes } }
}

/// All pods that run and the machine itself, measured over the same time.
public struct MachineUsage: Sendable {
    public let time: Timestamp
    /// Cpu use is a difference over this time.
    public let window: Duration
    public let pods: [PodUsage]
    public let node: UsageFigures
}

/// Measures cpu use as the difference to the last measurement, where that is not long ago; else to one a moment before.
actor UsageMeter {
    struct Container: Hashable, Sendable {
        let uid: String
        let name: String
    }

    struct Sample: Sendable {
        var instant: ContinuousClock.Instant
        var containers: [Container: ContainerUsage]
        var machine: MachineCounters
    }

    /// A measurement is of use for a later one while it is this old.
    private static let useful: ClosedRange<Duration> = .seconds(5) ... .seconds(60)
    private static let pause = Duration.milliseconds(200)

    private var last: Sample?

    /// - Returns: two samples, the earlier with every container of the later that ran then.
    func measure(_ sample: @Sendable () async -> Sample) async -> (first: Sample, second: Sample) {
        var now = await sample()
        let base: Sample
        if let last, Self.useful.contains(now.instant - last.instant), Set(now.containers.keys).isSubset(of: last.containers.keys) {
            base = last
        } else {
            base = now
            // Time is what is measured here: cpu use is a difference.
            try? await Task.sleep(for: Self.pause)
            now = await sample()
        }
        if last.map({ now.instant - $0.instant >= Self.useful.lowerBound }) ?? true { last = now }
        return (base, now)
    }
}

/// What the machine's processors have done and its memory holds (proc(5): /proc/stat, /proc/meminfo).
struct MachineCounters: Sendable, Equatable {
    var busyNanoseconds: UInt64 = 0
    var memoryBytes: Int = 0

    static func read() -> MachineCounters {
        var counters = MachineCounters()
        if let line = (Files.text("/proc/stat") ?? "").split(separator: "\n").first(where: { $0.hasPrefix("cpu ") }) {
            // user nice system idle iowait irq softirq steal; guest time is part of user.
            let ticks = line.split(separator: " ").dropFirst().prefix(8).map { UInt64($0) ?? 0 }
            let idle = ticks.count > 4 ? ticks[3] + ticks[4] : 0
            counters.busyNanoseconds = (ticks.reduce(0, +) - idle) * 10_000_000
        }
        var values: [Substring: Int] = [:]
        for line in (Files.text("/proc/meminfo") ?? "").split(separator: "\n") {
            let parts = line.split(whereSeparator: { $0 == " " || $0 == ":" })
            if parts.count >= 2 { values[parts[0]] = Int(parts[1]) }
        }
        counters.memoryBytes = max(0, (values["MemTotal"] ?? 0) - (values["MemAvailable"] ?? 0)) * 1024
        return counters
    }
}

extension NodeAgent {
    /// The name of this machine's Node.
    public var nodeName: String { kubelet.context.settings.name }

    /// How many pods and containers run now.
    public func running() async -> (pods: Int, containers: Int) {
        var running = (pods: 0, containers: 0)
        for worker in kubelet.all {
            let count = await worker.runningContainers
            running.containers += count
            if count > 0 { running.pods += 1 }
        }
        return running
    }

    /// What each pod that runs uses, and the machine as a whole.
    public func usage() async -> MachineUsage {
        let kubelet = kubelet
        let (first, second) = await meter.measure {
            var containers: [UsageMeter.Container: ContainerUsage] = [:]
            for worker in kubelet.all {
                for (name, usage) in await worker.usage() { containers[UsageMeter.Container(uid: worker.uid, name: name)] = usage }
            }
            return UsageMeter.Sample(instant: .now, containers: containers, machine: .read())
        }
        let window = second.instant - first.instant
        let seconds = max(window / .seconds(1), 0.001)
        func nanocores(_ before: UInt64, _ after: UInt64) -> Int { Int((Double(after &- min(before, after)) / seconds).rounded()) }
        var pods: [PodUsage] = []
        for worker in kubelet.all {
            let figures = second.containers.compactMap { entry -> (name: String, figures: UsageFigures)? in
                guard entry.key.uid == worker.uid, let before = first.containers[entry.key] else { return nil }
                return (
                    entry.key.name,
                    UsageFigures(
                        cpuNanocores: nanocores(before.cpuNanoseconds, entry.value.cpuNanoseconds), memoryBytes: Int(clamping: entry.value.memoryBytes))
                )
            }
            if figures.isEmpty { continue }
            pods.append(PodUsage(namespace: worker.key.namespace, name: worker.key.name, containers: figures.sorted { $0.name < $1.name }))
        }
        let node = UsageFigures(
            cpuNanocores: nanocores(first.machine.busyNanoseconds, second.machine.busyNanoseconds), memoryBytes: second.machine.memoryBytes)
        return MachineUsage(
            time: kubelet.context.now, window: window, pods: pods.sorted { ($0.namespace, $0.name) < ($1.namespace, $1.name) }, node: node)
    }
}
