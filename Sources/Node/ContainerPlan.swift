import Catalogue
import Images
import KubeModel
import Sandbox

/// Makes the sandbox's description of one container out of the pod, its image and its volumes.
struct ContainerPlan {
    let pod: PodSpec
    let container: ContainerSpec
    let environment: ResolvedEnvironment
    let volumes: [String: PodVolumes.Prepared]
    let fields: FieldReference
    let config: ConfigLookup
    let settings: NodeSettings
    /// What the container was given of GPUs and other devices.
    let devices: ContainerDevices
    /// The Services whose addresses the container finds in its environment.
    var services: [StoredObject] = []

    /// Where this attempt is kept, and the pod's own files `hosts`, `hostname` and `resolv.conf`.
    struct Places {
        var identifier: String
        var stateDirectory: String
        var logPath: String
        var podDirectory: String
    }

    /// What the container cannot be created with; becomes its waiting reason.
    struct Problem: Error, Equatable {
        let reason: String
        let message: String
    }

    /// - Parameter sharedMemory: a directory that becomes `/dev/shm`, unless a volume is mounted there.
    func spec(_ places: Places, namespaces: JoinedNamespaces, sharedMemory: String? = nil) throws(Problem) -> SandboxSpec {
        let user = try identity()
        try checkSeccomp()
        let hostname = try kernelHostname()
        var variables = try variables(home: user.home, hostname: hostname)
        let deviceMounts = devices.mounts(in: environment)
        variables.add(devices, mounts: deviceMounts)
        let arguments = environment.arguments(
            command: container.command.map(variables.expand), args: container.arguments.map(variables.expand))
        guard !arguments.isEmpty else {
            throw Problem(
                reason: "CreateContainerError",
                message: "no command specified: neither the container nor the environment \(environment.name) names one; set command")
        }
        let isPrimary = pod.primaryContainer == container.name
        // A trial's whole output is its metric history: never rotated away, and both streams in the order of their writes.
        var spec = SandboxSpec(
            identifier: places.identifier, stateDirectory: places.stateDirectory, rootLower: environment.lowerDirectories,
            arguments: arguments,
            log: LogPolicy(
                path: places.logPath, maxBytes: isPrimary ? 0 : settings.logFileBytes, maxFiles: settings.logFiles,
                mergeStreams: isPrimary))
        spec.hostname = hostname
        spec.environment = variables.strings
        let directory = container.json["workingDir"].stringValue ?? ""
        spec.workingDirectory = directory.isEmpty ? environment.workingDirectory : directory
        spec.user = user.user
        spec.group = user.group
        let groups = supplementaryGroups
        spec.supplementaryGroups = groups + devices.groups().filter { !groups.contains($0) }
        spec.rootReadOnly = container.securityContext["readOnlyRootFilesystem"].boolValue == true
        spec.capabilities = capabilities
        spec.mounts = try mounts(places, variables) + deviceMounts
        if let sharedMemory, !spec.mounts.contains(where: { $0.target == "/dev/shm" }) {
            spec.mounts.append(Mount(kind: .bind(source: sharedMemory, subPath: nil), target: "/dev/shm"))
        }
        spec.namespaces = namespaces
        spec.limits = limits
        spec.usesTerminal = container.json["tty"].boolValue == true
        if container.json["stdin"].boolValue == true { spec.input = container.json["stdinOnce"].boolValue == true ? .once : .open }
        spec.terminationMessagePath = container.terminationMessagePath
        return spec
    }

    // MARK: Variables

    /// With `setHostnameAsFQDN` the whole name, which the kernel limits.
    private func kernelHostname() throws(Problem) -> String {
        guard pod.json["setHostnameAsFQDN"].boolValue == true, let name = pod.fullHostname(domain: settings.clusterDomain) else {
            return pod.hostname
        }
        if name.utf8.count <= 63 { return name }
        throw Problem(
            reason: "CreateContainerError",
            message: "Failed to construct FQDN from pod hostname and cluster domain, FQDN \(name) is too long (63 characters is the max, "
                + "\(name.utf8.count) characters requested)")
    }

    private func variables(home: String, hostname: String) throws(Problem) -> ContainerEnvironment {
        var variables = ContainerEnvironment()
        for variable in environment.environmentVariables { variables.set(variable.name, variable.value) }
        variables.set("HOSTNAME", hostname)
        if variables.values["HOME"] == nil { variables.set("HOME", home) }
        if container.json["tty"].boolValue == true, variables.values["TERM"] == nil { variables.set("TERM", "xterm") }
        for variable in devices.pluginVariables { variables.set(variable.name, variable.value) }
        for (name, value) in ServiceEnvironment.variables(of: services) { variables.setByNode(name, value) }
        do {
            try variables.add(container, fields: fields, config: config)
        } catch {
            throw Problem(reason: "CreateContainerConfigError", message: error.description)
        }
        return variables
    }

    // MARK: What it sees

    private func mounts(_ places: Places, _ variables: ContainerEnvironment) throws(Problem) -> [Mount] {
        var mounts = environment.mounts.map { mount in
            switch mount.kind {
            case .bind: Mount(kind: .bind(source: mount.source, subPath: nil), target: mount.target, readOnly: true)
            case .overlay: Mount(kind: .overlay(source: mount.source, above: mount.above), target: mount.target)
            }
        }
        var volumeMounts: [Mount] = []
        for json in container.volumeMounts {
            let name = json["name"].stringValue ?? ""
            guard let volume = volumes[name] else {
                throw Problem(reason: "CreateContainerConfigError", message: "volume \"\(name)\" of volumeMounts is not among the pod's volumes")
            }
            let target = json["mountPath"].stringValue ?? ""
            guard !Self.isRoot(target) else {
                throw Problem(
                    reason: "CreateContainerError",
                    message: "volume \"\(name)\" cannot be mounted at \"\(target)\", in the place of the container's root: choose another mountPath")
            }
            volumeMounts.append(
                Mount(
                    kind: .bind(source: volume.path, subPath: try subPath(json, variables)),
                    target: target.hasPrefix("/") ? target : "/\(target)",
                    readOnly: volume.readOnly || json["readOnly"].boolValue == true))
        }
        let taken = Set(volumeMounts.map(\.target))
        for (file, target) in [("hosts", "/etc/hosts"), ("hostname", "/etc/hostname"), ("resolv.conf", "/etc/resolv.conf")]
        where !taken.contains(target) {
            mounts.append(Mount(kind: .bind(source: "\(places.podDirectory)/\(file)", subPath: nil), target: target))
        }
        // Outer mounts first, whatever the order in the manifest, as container runtimes do.
        func depth(_ mount: Mount) -> Int { mount.target.split(separator: "/").count }
        mounts += volumeMounts.enumerated().sorted { (depth($0.element), $0.offset) < (depth($1.element), $1.offset) }.map(\.element)
        return mounts
    }

    /// Whether a path leads to the root, as `/`, `/./` and `/a/..` do.
    private static func isRoot(_ path: String) -> Bool {
        var depth = 0
        for part in path.split(separator: "/") where part != "." { depth = part == ".." ? max(0, depth - 1) : depth + 1 }
        return depth == 0
    }

    private func subPath(_ json: JSON, _ variables: ContainerEnvironment) throws(Problem) -> String? {
        let expression = json["subPathExpr"].stringValue ?? ""
        var path = json["subPath"].stringValue ?? ""
        if !expression.isEmpty {
            do {
                path = try variables.expandKnown(expression)
            } catch {
                throw Problem(reason: "CreateContainerConfigError", message: error.description)
            }
        }
        if path.isEmpty { return nil }
        guard !path.hasPrefix("/"), !path.split(separator: "/").contains("..") else {
            throw Problem(
                reason: "CreateContainerConfigError",
                message: "subPath \"\(path)\" must be a relative path without '..' (container: \(container.name))")
        }
        return path
    }

    private var limits: ResourceLimits {
        let limits = PodResources.limits(of: container)
        let requests = PodResources.requests(of: container)
        return ResourceLimits(
            memoryBytes: limits["memory"].map { UInt64(max(0, $0.value)) },
            cpuQuotaMillicores: limits["cpu"].map { UInt64(max(0, $0.milliValue)) },
            cpuShares: PodResources.cpuShares(millicores: requests["cpu"]?.milliValue ?? 0), pids: settings.processLimit)
    }
}
