import Catalogue
import KubeModel

/// Why containers ended that had not done their work, through no fault of their own.
///
/// A pod that would not start them again ends as kubelet's graceful node shutdown ends it: Failed, reason `Terminated`, and a
/// condition DisruptionTarget (upstream: pkg/kubelet/nodeshutdown). Its owner makes another. A pod that starts its containers
/// again anyway does so in place, as after a reboot of the machine: a bare pod has nobody who would make another.
enum Disruption: Sendable, Equatable {
    /// `lab down` stopped it.
    case stopped
    /// Its supervisor vanished without an exit record: the machine went down, or somebody killed all of the lab's processes.
    case lost

    static let reason = "Terminated"
    private static let condition = "DisruptionTarget"

    var message: String {
        switch self {
        case .stopped: "Pod was terminated in response to imminent node shutdown."
        case .lost: "Pod was terminated by a restart of the machine or the loss of its supervisors; how its containers ended is not known."
        }
    }

    /// Whether the pod fails, rather than starting its containers again: with `restartPolicy: Never`; with OnFailure only where a
    /// controller makes another, as restarts in place would count as failures of a Job.
    func ends(_ spec: PodSpec) -> Bool {
        switch spec.restartPolicy {
        case "Never": true
        case "OnFailure": !spec.object.controllerReference.isNull
        default: false
        }
    }

    /// The pod's conditions with the one that says so.
    static func conditions(_ conditions: [JSON], _ message: String, _ now: Timestamp) -> JSON {
        if conditions.contains(where: { $0["type"].stringValue == condition && $0["reason"] == "TerminationByKubelet" }) { return .array(conditions) }
        return .array(
            conditions.filter { $0["type"].stringValue != condition } + [
                [
                    "type": .string(condition), "status": "True", "lastProbeTime": .null, "lastTransitionTime": now.json,
                    "reason": "TerminationByKubelet", "message": .string(message),
                ]
            ])
    }
}

extension PodWorker {
    /// Whether an attempt ran when the lab stopped the pod. One that had ended by itself before that has ended by itself.
    func wasStopped(_ container: String, _ attempt: Int, _ exit: ContainerExit) -> Bool {
        guard let record, record.stopped[container] == attempt, let time = record.stoppedAt, exit.failure == nil else { return false }
        return exit.finishedAt >= time && !wasEndedEarly(container, attempt)
    }

    /// A supervisor that was being killed as the daemon took it up, with all other processes of the lab perhaps.
    func noteLoss(of container: String) {
        guard let pod = context.catalogue.get(key), pod.uid == uid, var run = containers[container],
            let spec = PodSpec(pod).all.first(where: { $0.name == container })
        else { return }
        note(.lost, spec, &run)
        containers[container] = run
    }

    /// Notes that an attempt did not come to its own end. Sidecars and those who only look on have no end of their own.
    func note(_ cause: Disruption, _ container: ContainerSpec, _ run: inout ContainerRun) {
        guard !container.isEphemeral else { return }
        run.wasCutOff = true
        if !container.isSidecar { disruption = cause }
    }
}
