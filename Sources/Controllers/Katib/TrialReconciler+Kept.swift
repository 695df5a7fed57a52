import Catalogue
import KubeModel
import Registry

/// What stays of a trial when its job and pods are deleted.
extension TrialReconciler {
    /// Keeps what the primary containers printed, before the job and its pods are deleted. That it cannot be kept does not
    /// keep the trial from ending.
    /// - Returns: its last lines.
    func keepLog(of trial: StoredObject, _ pods: [StoredObject]) async -> String {
        let log = KeptLog()
        let name = trial.spec["primaryContainerName"].stringValue ?? ""
        do {
            for pod in pods where hasEnded(pod, trial) {
                try await source.read(TrialContainer(namespace: pod.namespace, pod: pod.name, podUID: pod.uid, container: name)) { log.append($0) }
            }
            if !pods.isEmpty { try await archive?.keep(log.lines, trialUID: trial.uid) }
        } catch {
            logger.warning("the log of a trial is not kept", metadata: ["trial": "\(trial.namespace)/\(trial.name)", "error": "\(error)"])
        }
        return log.told
    }

    /// Takes over what the newest pod has left below `$KINDLING_OUTPUT`.
    func keepOutput(of trial: StoredObject, _ pods: [StoredObject]) async {
        let name = trial.spec["primaryContainerName"].stringValue ?? ""
        guard let archive, let pod = pods.last(where: { hasEnded($0, trial) }),
            let container = pod.spec["containers"].elements.first(where: { $0["name"].stringValue == name }),
            let volume = TrialOutputs.name(in: pod.spec, container),
            let directory = await source.volume(volume, of: TrialContainer(namespace: pod.namespace, pod: pod.name, podUID: pod.uid, container: name))
        else { return }
        do { _ = try await archive.keepOutput(directory, trialUID: trial.uid) } catch {
            logger.warning("the output of a trial is not kept", metadata: ["trial": "\(trial.namespace)/\(trial.name)", "error": "\(error)"])
        }
    }

    /// Removes the outputs of all but the best trials of the same Experiment. A trial that was run again by hand keeps its own.
    func dropOutputs(beside trial: StoredObject) async {
        guard let archive, await archive.hasOutput(trialUID: trial.uid),
            let owner = trial.controllerReference["name"].stringValue,
            let experiment = client.get(.experiments, namespace: trial.namespace, name: owner)
        else { return }
        for loser in TrialOutputs.losers(experiment, client.controlled(by: experiment, .trials)) where await archive.hasOutput(trialUID: loser.uid) {
            await archive.dropOutput(trialUID: loser.uid)
        }
    }

    /// Writes down what the run has cost. The trial's end does not wait for it: both are committed together.
    func record(_ trial: StoredObject, _ job: StoredObject, _ pods: [StoredObject]) async {
        var run = TrialRun(trial: TrialKey(namespace: trial.namespace, trial: trial.name, uid: trial.uid))
        run.codeDigest = job.value["metadata"]["annotations"][KatibLabel.codeDigest].stringValue
        let name = trial.spec["primaryContainerName"].stringValue ?? ""
        for pod in pods {
            let status = pod.status["containerStatuses"].elements.first { $0["name"].stringValue == name }
            if let code = status?["state"]["terminated"]["exitCode"].intValue { run.exitCode = code }
            let container = TrialContainer(namespace: pod.namespace, pod: pod.name, podUID: pod.uid, container: name)
            guard let usage = await source.usage(of: container) else { continue }
            run.wallSeconds = (run.wallSeconds ?? 0) + usage.wallSeconds
            run.cpuSeconds = (run.cpuSeconds ?? 0) + usage.cpuSeconds
            run.peakMemoryBytes = max(run.peakMemoryBytes ?? 0, usage.peakMemoryBytes)
        }
        let (catalogue, logger, known) = (client.catalogue, logger, run)
        Task {
            do { try await catalogue.write { $0.record(known) } } catch {
                logger.warning("what a trial has cost is not kept", metadata: ["trial": "\(trial.namespace)/\(trial.name)", "error": "\(error)"])
            }
        }
    }
}
