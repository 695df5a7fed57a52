import Glibc
import Images
import KubeModel
import Sandbox

/// What the devices that one container was given change of its sandbox.
struct ContainerDevices: Sendable, Equatable {
    /// Where libraries lie that CDI's hooks would have made known to the linker: each under its DT_SONAME. Last in LD_LIBRARY_PATH.
    static let libraries = "/run/kindling/lib"

    /// A device that is not here (any more).
    struct Unknown: Error, Equatable, CustomStringConvertible {
        let name: String
        var description: String {
            "unresolvable CDI devices \(name): no CDI file of this machine has it; 'lab doctor' tells which there are, and labd reads them as it starts"
        }
    }

    private(set) var edits = ContainerEdits()
    /// For NVIDIA_VISIBLE_DEVICES; empty where the container was given no GPU of NVIDIA's by its limits.
    private(set) var visible: [String] = []

    init() {}

    /// - Parameters:
    ///   - assigned: qualified names of what its limits ask for.
    ///   - annotated: of what the pod's annotations ask for.
    init(assigned: [String], annotated: [String] = [], inventory: DeviceInventory) throws(Unknown) {
        var known: Set<String> = []
        for (index, name) in (assigned + annotated).enumerated() where known.insert(name).inserted {
            guard let device = inventory.devices[name] else { throw Unknown(name: name) }
            edits.add(device.edits)
            if index < assigned.count, !device.visibleName.isEmpty { visible.append(device.visibleName) }
        }
    }

    // MARK: Variables

    /// What kubelet sets for NVIDIA's device plugin: the pod's own variable goes over it.
    var pluginVariables: [ContainerEdits.Variable] {
        visible.isEmpty ? [] : [.init(name: "NVIDIA_VISIBLE_DEVICES", value: visible.joined(separator: ","))]
    }

    /// What goes over the pod's own, as a runtime that knows CDI does it. NVIDIA's files say `void` there so that NVIDIA's own hook
    /// keeps away, which is not here.
    var variables: [ContainerEdits.Variable] {
        edits.variables.filter { $0.name != "NVIDIA_VISIBLE_DEVICES" || visible.isEmpty }
    }

    /// Of the groups those that exist in the daemon's id map: a device's group is the host's, and a user's lab has only its own.
    func groups(map: String = Files.text("/proc/self/gid_map") ?? "") -> [UInt32] {
        let ranges = map.split(separator: "\n").map { line in line.split(whereSeparator: \.isWhitespace).compactMap { UInt64($0) } }
        return edits.additionalGroups.filter { group in
            ranges.contains { $0.count == 3 && UInt64(group) >= $0[0] && UInt64(group) < $0[0] + $0[2] }
        }
    }

    // MARK: Mounts

    /// Outer ones first. What the image shows already, being the host's own system, is not mounted again.
    func mounts(in environment: ResolvedEnvironment) -> [Mount] {
        let missing = edits.mounts.filter { !Self.isShown($0, by: environment.mounts) }
        func depth(_ path: String) -> Int { path.split(separator: "/").count }
        let files = missing.enumerated().sorted {
            (depth($0.element.containerPath), $0.offset) < (depth($1.element.containerPath), $1.offset)
        }.map { Mount(kind: .bind(source: $0.element.hostPath, subPath: nil), target: $0.element.containerPath, readOnly: $0.element.isReadOnly) }
        return files + linked(missing) + edits.deviceNodes.map { Mount(kind: .device(source: $0.hostPath), target: $0.path) }
    }

    /// The libraries among what is mounted, each under the name by which the linker looks for it.
    private func linked(_ mounts: [ContainerEdits.BindMount]) -> [Mount] {
        guard edits.linksLibraries else { return [] }
        var sources: [String: String] = [:]
        for mount in mounts where mount.containerPath.lastComponent.contains(".so") {
            guard let name = SharedObject.soname(path: mount.hostPath), sources[name] == nil else { continue }
            sources[name] = mount.hostPath
            for link in edits.links where link.target == name || link.target == mount.containerPath.lastComponent {
                if sources[link.name] == nil { sources[link.name] = mount.hostPath }
            }
        }
        return sources.sorted { $0.key < $1.key }.map { name, source in
            Mount(kind: .bind(source: source, subPath: nil), target: "\(Self.libraries)/\(name)", readOnly: true)
        }
    }

    /// Whether the environment has the very file at that place through a mount of its own.
    private static func isShown(_ mount: ContainerEdits.BindMount, by mounts: [EnvironmentMount]) -> Bool {
        guard let real = realPath(mount.hostPath) else { return false }
        return mounts.contains { own in
            guard real.hasPrefix(own.source + "/") else { return false }
            let rest = real.dropFirst(own.source.count)
            // Links such as /lib to /usr/lib are the same within the host's own system.
            return mount.containerPath == own.target + rest || own.source == own.target && realPath(mount.containerPath) == real
        }
    }
}

extension ContainerEnvironment {
    /// What devices bring, over everything else; the directory of their libraries at the end of the linker's list.
    mutating func add(_ devices: ContainerDevices, mounts: [Mount]) {
        for variable in devices.variables { set(variable.name, variable.value) }
        guard mounts.contains(where: { $0.target.hasPrefix(ContainerDevices.libraries + "/") }) else { return }
        let old = values["LD_LIBRARY_PATH"] ?? ""
        if old.split(separator: ":").contains(where: { $0 == ContainerDevices.libraries }) { return }
        set("LD_LIBRARY_PATH", old.isEmpty ? ContainerDevices.libraries : "\(old):\(ContainerDevices.libraries)")
    }
}
