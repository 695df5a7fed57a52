import Images
import KubeModel
import Sandbox

extension ContainerPlan {
    /// Who the program runs as.
    struct Identity: Equatable {
        var user: UInt32
        var group: UInt32
        /// Of the image's list of users; `/root` or `/` where it has none.
        var home: String
    }

    /// The manifest's numbers, else the image's user (upstream: pkg/kubelet/kuberuntime/security_context.go).
    func identity() throws(Problem) -> Identity {
        let passwords = PasswordFile(layers: environment.lowerDirectories)
        let parts = environment.user.split(separator: ":", maxSplits: 1)
        let named = parts.first.flatMap { UInt32($0) == nil ? passwords.user(named: $0) : nil }
        let wanted = number("runAsUser")
        if mustNotBeRoot { try refuseRoot(wanted, imageUser: parts.first.map(String.init) ?? "") }
        if wanted == nil, let name = parts.first, UInt32(name) == nil, named == nil {
            throw Problem(
                reason: "CreateContainerError",
                message: "unable to find user \(name) in the image's /etc/passwd; set securityContext.runAsUser (container: \(container.name))")
        }
        let user = wanted ?? parts.first.flatMap { UInt32($0) } ?? named?.user ?? 0
        let known = passwords.user(user)
        let imageGroup = parts.count > 1 ? UInt32(parts[1]) : named?.group
        let group = number("runAsGroup") ?? (wanted == nil ? imageGroup ?? known?.group : nil) ?? 0
        return Identity(user: user, group: group, home: known?.home ?? (user == 0 ? "/root" : "/"))
    }

    private var mustNotBeRoot: Bool {
        container.securityContext["runAsNonRoot"].boolValue ?? pod.securityContext["runAsNonRoot"].boolValue ?? false
    }

    private func refuseRoot(_ wanted: UInt32?, imageUser: String) throws(Problem) {
        var problem: String?
        if let wanted {
            if wanted == 0 { problem = "container's runAsUser breaks non-root policy" }
        } else if imageUser.isEmpty || UInt32(imageUser) == 0 {
            problem = "container has runAsNonRoot and image will run as root"
        } else if UInt32(imageUser) == nil {
            problem = "container has runAsNonRoot and image has non-numeric user (\(imageUser)), cannot verify user is non-root"
        }
        guard let problem else { return }
        throw Problem(reason: "CreateContainerConfigError", message: "\(problem) (pod: \"\(pod.title)\", container: \(container.name))")
    }

    /// The container's own field goes before the pod's.
    private func number(_ field: String) -> UInt32? {
        (container.securityContext[field].intValue ?? pod.securityContext[field].intValue).flatMap { UInt32(exactly: $0) }
    }

    var supplementaryGroups: [UInt32] {
        let groups = pod.securityContext["supplementalGroups"].elements + [pod.securityContext["fsGroup"]]
        return groups.compactMap(\.intValue).compactMap { UInt32(exactly: $0) }
    }

    /// The default set, less what is dropped. More than that set is never given: it would reach out of the container.
    var capabilities: CapabilitySet {
        let dropped = capabilityNames("drop")
        let kept = dropped.contains("ALL") ? [] : CapabilitySet.runtimeDefault.names.subtracting(dropped)
        return CapabilitySet(names: kept.union(capabilityNames("add").intersection(CapabilitySet.runtimeDefault.names)))
    }

    /// What the manifest adds in vain, in order.
    var refusedCapabilities: [String] { capabilityNames("add").subtracting(CapabilitySet.runtimeDefault.names).sorted() }

    private func capabilityNames(_ field: String) -> Set<String> {
        Set(container.securityContext["capabilities"][field].elements.compactMap(\.stringValue).map { name in
            let upper = name.uppercased()
            return upper.hasPrefix("CAP_") ? String(upper.dropFirst(4)) : upper
        })
    }

    /// The default filter is the only one; profiles of the host's are not read.
    func checkSeccomp() throws(Problem) {
        let own = container.securityContext["seccompProfile"]
        let profile = own.isNull ? pod.securityContext["seccompProfile"] : own
        guard profile["type"].stringValue == "Localhost" else { return }
        throw Problem(
            reason: "CreateContainerError",
            message: "failed to generate seccomp spec opts: the profile \"\(profile["localhostProfile"].stringValue ?? "")\" cannot be loaded: "
                + "this machine has no Localhost profiles; use RuntimeDefault (container: \(container.name))")
    }
}
