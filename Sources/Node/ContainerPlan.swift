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
    /// Device files of the GPUs that the container was given, and their numbers.
    let gpus: GPUDevices
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

    func spec(_ places: Places, namespaces: JoinedNamespaces) throws(Problem) -> SandboxSpec {
        let user = try identity()
        let variables = try variables(user: user.user)
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
        spec.hostname = pod.hostname
        spec.environment = variables.strings
        let directory = container.json["workingDir"].stringValue ?? ""
        spec.workingDirectory = directory.isEmpty ? environment.workingDirectory : directory
        spec.user = user.user
        spec.group = user.group
        spec.supplementaryGroups = supplementaryGroups
        spec.rootReadOnly = container.securityContext["readOnlyRootFilesystem"].boolValue == true
        spec.capabilities = capabilities
        spec.mounts = try mounts(places, variables)
        spec.namespaces = namespaces
        spec.limits = limits
        spec.terminationMessagePath = container.terminationMessagePath
        return spec
    }

    // MARK: Who it runs as

    private func identity() throws(Problem) -> (user: UInt32, group: UInt32) {
        let image = environment.user.split(separator: ":").map { UInt32($0) ?? 0 }
        let user = number("runAsUser") ?? image.first ?? 0
        let group = number("runAsGroup") ?? (image.count > 1 && number("runAsUser") == nil ? image[1] : 0)
        let mustNotBeRoot = container.securityContext["runAsNonRoot"].boolValue ?? pod.securityContext["runAsNonRoot"].boolValue ?? false
        if mustNotBeRoot, user == 0 {
            let problem = number("runAsUser") == nil
                ? "container has runAsNonRoot and image will run as root" : "container's runAsUser breaks non-root policy"
            throw Problem(
                reason: "CreateContainerConfigError", message: "\(problem) (pod: \"\(pod.title)\", container: \(container.name))")
        }
        return (user, group)
    }

    /// The container's own field goes before the pod's.
    private func number(_ field: String) -> UInt32? {
        (container.securityContext[field].intValue ?? pod.securityContext[field].intValue).flatMap { UInt32(exactly: $0) }
    }

    private var supplementaryGroups: [UInt32] {
        let groups = pod.securityContext["supplementalGroups"].elements + [pod.securityContext["fsGroup"]]
        return groups.compactMap(\.intValue).compactMap { UInt32(exactly: $0) }
    }

    private var capabilities: CapabilitySet {
        let change = container.securityContext["capabilities"]
        func names(_ field: String) -> Set<String> {
            Set(change[field].elements.compactMap(\.stringValue).map { name in
                let upper = name.uppercased()
                return upper.hasPrefix("CAP_") ? String(upper.dropFirst(4)) : upper
            })
        }
        let dropped = names("drop")
        let kept = dropped.contains("ALL") ? [] : CapabilitySet.runtimeDefault.names.subtracting(dropped)
        // "ALL" cannot be added: what is beyond the default reaches outside a container, and that is never given.
        return CapabilitySet(names: kept.union(names("add").subtracting(["ALL"])))
    }

    // MARK: Variables

    private func variables(user: UInt32) throws(Problem) -> ContainerEnvironment {
        var variables = ContainerEnvironment()
        for variable in environment.environmentVariables { variables.set(variable.name, variable.value) }
        variables.set("HOSTNAME", pod.hostname)
        if variables.values["HOME"] == nil { variables.set("HOME", user == 0 ? "/root" : "/") }
        if !gpus.indices.isEmpty {
            variables.set("NVIDIA_VISIBLE_DEVICES", gpus.indices.map(String.init).joined(separator: ","))
        }
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
            case .overlay: Mount(kind: .overlay(source: mount.source), target: mount.target)
            }
        }
        var volumeMounts: [Mount] = []
        for json in container.volumeMounts {
            let name = json["name"].stringValue ?? ""
            guard let volume = volumes[name] else {
                throw Problem(reason: "CreateContainerConfigError", message: "volume \"\(name)\" of volumeMounts is not among the pod's volumes")
            }
            let target = json["mountPath"].stringValue ?? ""
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
        return mounts + gpus.paths.map { Mount(kind: .device(source: $0), target: $0) }
    }

    private func subPath(_ json: JSON, _ variables: ContainerEnvironment) throws(Problem) -> String? {
        let expression = json["subPathExpr"].stringValue ?? ""
        let path = expression.isEmpty ? json["subPath"].stringValue ?? "" : variables.expand(expression)
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
