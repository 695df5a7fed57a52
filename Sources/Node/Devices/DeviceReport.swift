import KubeModel

/// What was found of GPUs and other devices, for people: `lab doctor`, `lab status` and the annotations of the Node.
public struct DeviceReport: Sendable, Equatable {
    /// The Node's annotations that hold it: lines of what was found, and lines of what cannot be used.
    public static let foundAnnotation = "kindling.dev/devices"
    public static let problemsAnnotation = "kindling.dev/device-problems"

    /// One line a resource: `nvidia.com/gpu: 0, 1 (/etc/cdi/nvidia.yaml)`. Empty where there is no device.
    public var found: [String]
    /// One line for each file and device that cannot be used, with why.
    public var problems: [String]

    /// Looks at the machine as a starting labd would.
    /// - Parameters:
    ///   - directories: of CDI files, beside `/etc/cdi` and `/var/run/cdi`.
    ///   - slices: among how many pods each GPU is shared.
    public init(directories: [String] = [], slices: Int = 1) {
        self.init(DeviceInventory.found(extra: directories, slices: slices))
    }

    init(_ inventory: DeviceInventory) {
        found = inventory.resources.sorted { $0.key < $1.key }.map { kind, names in
            let devices = names.compactMap { inventory.devices[$0] }
            var sources: [String] = []
            for device in devices where !sources.contains(device.source) { sources.append(device.source) }
            var notes = [sources.joined(separator: ", ")]
            if kind == NVIDIADriver.kind, !inventory.driver.isEmpty { notes.append(inventory.driver) }
            if inventory.shares(of: kind) > 1 { notes.append("each shared by \(inventory.shares(of: kind)) pods") }
            return "\(kind): \(devices.map(\.name).joined(separator: ", ")) (\(notes.joined(separator: "; ")))"
        }
        if !inventory.hooks.isEmpty {
            found.append("hooks of CDI files are not run (libraries are found through LD_LIBRARY_PATH instead): \(inventory.hooks.joined(separator: "; "))")
        }
        problems = inventory.problems
    }

    /// Changes an object's annotations to say this.
    func annotate(_ object: inout JSON) {
        for (name, lines) in [(Self.foundAnnotation, found), (Self.problemsAnnotation, problems)] {
            if lines.isEmpty {
                object.remove(path: ["metadata", "annotations", name])
            } else {
                object["metadata"]["annotations"][name] = .string(lines.joined(separator: "\n"))
            }
        }
    }
}
