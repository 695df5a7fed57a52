import Catalogue
import Glibc
import KubeModel
import Sandbox

extension PodWorker {
    /// How long a container that is ended early may take after SIGTERM.
    private static let earlyGrace = Duration.milliseconds(400)

    /// Ends a container that has done enough: SIGTERM, then SIGKILL to all its processes. It counts as ended with 0; that is
    /// written down first, so that it holds for a later daemon too. One that does not run is left alone.
    func endEarly(_ container: String) throws {
        guard var record, let run = containers[container], let running = run.running, stopping == nil else { return }
        if record.endedEarly[container] != run.attempt {
            record.endedEarly[container] = run.attempt
            try record.write(to: directory.path)
            self.record = record
        }
        if let pod = context.catalogue.get(key), pod.uid == uid {
            context.client.event(pod, reason: "Killing", message: "Stopping container \(container): early stopping")
        }
        running.signal(SIGTERM)
        let end = run.end
        Task {
            try? await Task.sleep(for: Self.earlyGrace)
            if end?.isSet == false { running.signal(SIGKILL) }
        }
    }

    /// Whether an attempt's end is one that the lab wished.
    func wasEndedEarly(_ container: String, _ attempt: Int) -> Bool { record?.endedEarly[container] == attempt }

    /// Returns when the container will not be started (again).
    func waitForEnd(of container: String) async {
        while !Task.isCancelled, !isFinal(container) { await nextChange() }
    }

    /// Removes the pod's volumes from disk, but for those that somebody outside still has to read: they go with the pod's object.
    func removeVolumes() async throws {
        let pod = context.catalogue.get(key)
        guard let pod, pod.uid == uid, let text = pod.annotations[TrialPods.keptVolumes] else {
            return try await context.runtime.remove(directory.volumes)
        }
        let kept = text.split(separator: ",").map(String.init)
        for name in Files.list(directory.volumes) where !kept.contains(name) { try await context.runtime.remove("\(directory.volumes)/\(name)") }
    }

    /// Where a volume of this pod is that was kept; `nil` where there is none.
    func keptVolume(_ name: String) -> String? {
        guard let pod = context.catalogue.get(key), pod.uid == uid, let text = pod.annotations[TrialPods.keptVolumes],
            text.split(separator: ",").contains(where: { $0 == name })
        else { return nil }
        let path = "\(directory.volumes)/\(name)"
        return Files.isDirectory(path) ? path : nil
    }

    /// What the primary container has used, all its attempts together; `nil` where nothing tells.
    func spent() -> SpentResources? {
        // Once the pod is cleaned up, its supervisors' records are gone.
        if let spent = record?.spent, spent.count == 3 {
            return SpentResources(wallNanoseconds: spent[0], cpuNanoseconds: spent[1], memoryPeakBytes: spent[2])
        }
        guard let pod = context.catalogue.get(key), pod.uid == uid, let container = pod.annotations[TrialPods.primaryContainer] else { return nil }
        let all = directory.attemptNumbers(of: container).compactMap { SpentResources.read(stateDirectory: directory.attempt($0, of: container)) }
        return all.isEmpty ? nil : all.dropFirst().reduce(all[0], +)
    }

    func noteSpent() {
        guard record?.spent.isEmpty == true, let spent = spent() else { return }
        record?.spent = [spent.wallNanoseconds, spent.cpuNanoseconds, spent.memoryPeakBytes]
    }

    /// Where a directory that a container sees is on this machine: the emptyDir that is mounted exactly there. Waits until the
    /// container has started.
    func volume(at path: String, of container: String) async -> Result<String, VolumeFileProblem> {
        _ = await log(of: container, attempt: 0)
        func fail(_ problem: String) -> Result<String, VolumeFileProblem> { .failure(VolumeFileProblem(description: problem)) }
        guard let pod = context.catalogue.get(key), pod.uid == uid else { return fail("the pod \(key.name) is gone") }
        let spec = PodSpec(pod)
        let mount = spec.all.first { $0.name == container }?.volumeMounts.first { mount in
            (mount["mountPath"].stringValue ?? "").split(separator: "/") == path.split(separator: "/")
        }
        guard let mount, let name = mount["name"].stringValue else { return fail("the container \(container) has no volume at \(path)") }
        guard mount["subPath"].isNull, mount["subPathExpr"].isNull else {
            return fail("the volume at \(path) of the container \(container) has a subPath, where metrics cannot be read")
        }
        let volume = spec.json["volumes"].elements.first { $0["name"].stringValue == name } ?? .null
        guard volume["emptyDir"].isNull == false || volume.members.count == 1 else {
            return fail("the volume \(name) at \(path) is no emptyDir, and metrics can be read there only")
        }
        return .success("\(directory.volumes)/\(name)")
    }
}

/// Why files of a pod's volume cannot be read, in words for the user.
struct VolumeFileProblem: Error, Equatable, CustomStringConvertible {
    var description: String
}
