import KubeModel

/// What a pod may not ask of this machine, whatever its namespace allows: it would reach out of its sandbox. Such a pod fails
/// at once, as kubelet's admission rejects one (upstream: pkg/kubelet/lifecycle/predicate.go, PodSecurity's baseline).
struct PodPolicy {
    /// Becomes the pod's reason, message and Event.
    struct Refusal: Equatable {
        let reason: String
        let message: String
    }

    static func refusal(_ pod: PodSpec) -> Refusal? {
        for field in ["hostNetwork", "hostPID", "hostIPC"] where pod.json[field].boolValue == true {
            let remedy = field == "hostNetwork" ? "a Service or `kubectl port-forward` reaches its ports" : "containers of a pod share their own"
            return Refusal(
                reason: "HostNamespaceForbidden",
                message: "\(field) is refused: no pod enters the host's namespaces on this machine; remove it (\(remedy))")
        }
        if pod.json["shareProcessNamespace"].boolValue == true, pod.all.count > 1 {
            return Refusal(
                reason: "ShareProcessNamespaceUnsupported",
                message: "shareProcessNamespace is not available: each container has a process namespace of its own here; remove it, or put "
                    + "the processes that must see each other into one container")
        }
        if let problem = confinement(pod.securityContext, "the pod") { return problem }
        for container in pod.all {
            if container.securityContext["privileged"].boolValue == true {
                return Refusal(
                    reason: "PrivilegedForbidden",
                    message: "privileged is refused for container \(container.name): nothing on this machine runs without confinement; remove it")
            }
            if let problem = confinement(container.securityContext, "container \(container.name)") { return problem }
        }
        return nil
    }

    private static func confinement(_ context: JSON, _ whose: String) -> Refusal? {
        if context["seccompProfile"]["type"].stringValue == "Unconfined" {
            return Refusal(
                reason: "SeccompForbidden",
                message: "seccompProfile Unconfined is refused for \(whose): containers always have the runtime's default filter; use RuntimeDefault")
        }
        if context["procMount"].stringValue == "Unmasked" {
            return Refusal(
                reason: "ProcMountForbidden",
                message: "procMount Unmasked is refused for \(whose): parts of /proc stay hidden from every container; remove it")
        }
        return nil
    }
}
