import KubeModel

/// The devices of this machine that pods may be given: those of CDI files, and NVIDIA's GPUs where no file speaks of them.
struct DeviceInventory: Sendable, Equatable {
    struct Device: Sendable, Equatable {
        /// `vendor.com/class`, the resource's name.
        var kind: String
        var name: String
        /// With what its file wants for all of its devices.
        var edits: ContainerEdits
        /// The file that speaks of it, or `NVIDIA's driver`.
        var source: String
        /// For NVIDIA_VISIBLE_DEVICES; empty for devices that are no GPUs of NVIDIA.
        var visibleName = ""

        /// As in CDI annotations: `nvidia.com/gpu=0`.
        var qualifiedName: String { "\(kind)=\(name)" }
    }

    /// Every device by its qualified name.
    private(set) var devices: [String: Device] = [:]
    /// Those that are counted, by kind and in order.
    private(set) var resources: [String: [String]] = [:]
    /// Among how many pods a GPU is shared.
    private(set) var slices = 1
    /// A sentence for each file and device that cannot be used.
    private(set) var problems: [String] = []
    /// Programs that CDI files want to be run, which are not.
    private(set) var hooks: [String] = []
    /// Such as `driver 535.183.01`; empty where the driver does not say or is not there.
    private(set) var driver = ""

    init() {}

    /// Looks at the machine.
    /// - Parameters:
    ///   - extra: directories of CDI files that go before the usual ones.
    ///   - slices: at least 1.
    ///   - root: put before each path of the driver, for tests.
    static func found(extra: [String] = [], slices: Int = 1, standard: [String] = CDIDirectories.standard, root: String = "") -> DeviceInventory {
        let contents = CDIDirectories(directories: standard + extra).read()
        return DeviceInventory(contents, driver: NVIDIADriver.find(root: root), gpus: NVIDIADriver.gpus(root: root), slices: slices, root: root)
    }

    init(_ contents: CDIDirectories.Contents, driver: NVIDIADriver?, gpus: [NVIDIADriver.GPU] = [], slices: Int = 1, root: String = "") {
        self.slices = max(1, slices)
        problems = contents.problems
        var priorities: [String: Int] = [:]
        for file in contents.files {
            add(file.specification, source: file.path, priority: file.priority, &priorities)
        }
        if let driver {
            if !driver.version.isEmpty { self.driver = "driver \(driver.version)" }
            // A file of the administrator's knows better.
            if !devices.values.contains(where: { $0.kind == NVIDIADriver.kind }) {
                add(driver.specification(root: root), source: "NVIDIA's driver", priority: 0, &priorities)
            }
        }
        for (key, device) in devices where device.kind == NVIDIADriver.kind { devices[key]?.visibleName = Self.visibleName(device, gpus) }
        count()
    }

    private mutating func add(_ specification: CDISpecification, source: String, priority: Int, _ priorities: inout [String: Int]) {
        for hook in specification.edits.hooks + specification.devices.flatMap(\.edits.hooks) where !hooks.contains(hook) { hooks.append(hook) }
        for device in specification.devices {
            let key = "\(specification.kind)=\(device.name)"
            if let other = devices[key], priorities[key] == priority {
                problems.append("\(key) of \(source) is not used: \(other.source) has it too; remove it from one of them")
                continue
            }
            var edits = specification.edits
            edits.add(device.edits)
            priorities[key] = priority
            devices[key] = Device(kind: specification.kind, name: device.name, edits: edits, source: source)
        }
    }

    /// NVIDIA's device plugin names GPUs by UUID (its option device-id-strategy is `uuid`).
    private static func visibleName(_ device: Device, _ gpus: [NVIDIADriver.GPU]) -> String {
        if device.name.hasPrefix("GPU-") || device.name.hasPrefix("MIG-") { return device.name }
        let minors = device.edits.deviceNodes.compactMap { $0.path.hasPrefix("/dev/nvidia") ? Int($0.path.dropFirst(11)) : nil }
        guard minors.count == 1, let uuid = gpus.first(where: { $0.minor == minors[0] })?.uuid, !uuid.isEmpty else { return device.name }
        return uuid
    }

    /// A file names a GPU by number and by UUID, and `all` of them: each is counted once. One whose device files are not there is not.
    private mutating func count() {
        for (kind, all) in Dictionary(grouping: devices.values, by: \.kind) {
            var counted: [Device] = []
            for device in all.sorted(by: { Self.precedes($0.name, $1.name) }) where device.name != "all" {
                let isSecondName = device.name.hasPrefix("GPU-") || device.name.hasPrefix("MIG-")
                if isSecondName, counted.contains(where: { $0.edits == device.edits }) { continue }
                if let missing = device.edits.deviceNodes.first(where: { Files.status($0.hostPath) == nil }) {
                    problems.append("\(device.qualifiedName) of \(device.source) is not offered: \(missing.hostPath) does not exist")
                    continue
                }
                counted.append(device)
            }
            if !counted.isEmpty { resources[kind] = counted.map(\.qualifiedName) }
        }
        problems.sort()
    }

    /// Numbers by value and before UUIDs.
    private static func precedes(_ left: String, _ right: String) -> Bool {
        switch (Int(left), Int(right)) {
        case (let left?, let right?): left < right
        case (nil, nil): left < right
        case (let left, _): left != nil
        }
    }

    // MARK: As the node offers them

    /// How many pods may have one device at once.
    func shares(of kind: String) -> Int { kind.hasSuffix("/gpu") ? slices : 1 }

    /// For the Node's capacity.
    var amounts: Amounts {
        var amounts: Amounts = [:]
        for (kind, names) in resources { amounts[kind] = Quantity(names.count * shares(of: kind)) }
        return amounts
    }
}
