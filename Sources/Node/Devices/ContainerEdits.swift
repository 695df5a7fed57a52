/// What a device changes of the container that is given it, in the words of the Container Device Interface
/// (upstream: container-device-interface, SPEC.md, containerEdits).
struct ContainerEdits: Sendable, Equatable {
    /// A device file of the host and its place in the container. It is bound there, not made: a user may make none.
    struct DeviceNode: Sendable, Hashable {
        var path: String
        var hostPath: String
    }

    struct BindMount: Sendable, Hashable {
        var hostPath: String
        var containerPath: String
        var isReadOnly = true
    }

    /// A link that a hook of the file would have made beside a library: `libcuda.so` to `libcuda.so.1`.
    struct Link: Sendable, Hashable {
        var name: String
        var target: String
    }

    struct Variable: Sendable, Hashable {
        var name: String
        var value: String
    }

    var deviceNodes: [DeviceNode] = []
    var mounts: [BindMount] = []
    var variables: [Variable] = []
    var additionalGroups: [UInt32] = []
    /// Read of the arguments of NVIDIA's hook `create-symlinks`.
    var links: [Link] = []
    /// Whether its libraries must be found by name: a hook `update-ldcache` or `create-symlinks` would have seen to that.
    var linksLibraries = false
    /// Programs that the file wants to be run on the host. None is.
    var hooks: [String] = []

    var isEmpty: Bool {
        deviceNodes.isEmpty && mounts.isEmpty && variables.isEmpty && additionalGroups.isEmpty && hooks.isEmpty
    }

    /// Both together, each thing once; of a variable's values the later one holds.
    mutating func add(_ other: ContainerEdits) {
        deviceNodes += other.deviceNodes.filter { node in !deviceNodes.contains { $0.path == node.path } }
        mounts += other.mounts.filter { mount in !mounts.contains { $0.containerPath == mount.containerPath } }
        let named = Set(other.variables.map(\.name))
        variables = variables.filter { !named.contains($0.name) } + other.variables
        additionalGroups += other.additionalGroups.filter { !additionalGroups.contains($0) }
        linksLibraries = linksLibraries || other.linksLibraries
        links += other.links.filter { !links.contains($0) }
        hooks += other.hooks.filter { !hooks.contains($0) }
    }
}
