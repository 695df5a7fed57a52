import Catalogue
import Images
import KubeModel
import LabNetwork
import Registry
import Sandbox

extension PodWorker {
    /// Starts what is due: init containers one after the other, then all others. Returns when to look again.
    func advance(_ spec: PodSpec) async -> Duration? {
        context.blocked.set(key, false)
        var delays: [Duration] = []
        if let delay = stopCondemned(spec) { delays.append(delay) }
        let hasStarted = spec.containers.contains { (containers[$0.name]?.attempt ?? -1) >= 0 }
        for container in spec.initContainers {
            let run = containers[container.name] ?? ContainerRun()
            if container.isSidecar {
                if run.running == nil, let delay = await startIfDue(container, spec) { delays.append(delay) }
                // The next one waits for its hook and its startup probe; what already runs needs it no more for its own start.
                if !hasStarted, containers[container.name]?.isStarted != true { return delays.min() }
                continue
            }
            if hasStarted || run.ended?.exitCode == 0 && !run.wasCutOff { continue }
            if run.running != nil { return delays.min() }
            if run.ended != nil, spec.restartPolicy == "Never" { return delays.min() }
            if let delay = await startIfDue(container, spec) { delays.append(delay) }
            return delays.min()
        }
        for container in spec.containers {
            let run = containers[container.name] ?? ContainerRun()
            if run.running == nil, run.ended.map({ isRestarted(run, $0, spec) }) ?? true,
                let delay = await startIfDue(container, spec)
            {
                delays.append(delay)
            }
            // Containers start one after the other: a postStart hook holds up those behind it, as in kubelet's loop.
            if let run = containers[container.name], run.running != nil, !run.postStart.isDone { return delays.min() }
        }
        return delays.min()
    }

    /// Whether a container that has ended is started again. A probe that has ended it asks for that whatever its exit code is.
    func isRestarted(_ run: ContainerRun, _ ended: TerminatedState, _ spec: PodSpec) -> Bool {
        switch spec.restartPolicy {
        case "Never": return false
        case "OnFailure":
            if case .probe = run.condemnation { return true }
            return ended.exitCode != 0 || run.wasCutOff
        default: return true
        }
    }

    /// Starts a container unless its back-off has not passed. Returns when to try again.
    func startIfDue(_ container: ContainerSpec, _ spec: PodSpec) async -> Duration? {
        let run = containers[container.name] ?? ContainerRun()
        if let ended = run.ended, let left = run.restarts.remaining(since: ended.finishedAt, now: context.now) {
            if run.waiting?.reason != "CrashLoopBackOff" {
                event(spec, container, "Warning", "BackOff", "Back-off restarting failed container \(container.name) in pod \(spec.title)")
            }
            wait(
                container, "CrashLoopBackOff",
                "back-off \(run.restarts.text) restarting failed container=\(container.name) pod=\(spec.title)")
            return left
        }
        do {
            let volumes = try await prepare(spec)
            let environment = try environment(of: container, spec)
            return try await start(container, spec, environment, volumes)
        } catch let problem as StartProblem {
            return problem.retryAfter
        } catch {
            wait(container, "CreateContainerError", "\(error)")
            event(spec, container, "Warning", "Failed", "Error: \(error)")
            return .seconds(10)
        }
    }

    /// The container's image, or the waiting reason that kubelet gives for its pull policy.
    private func environment(of container: ContainerSpec, _ spec: PodSpec) throws(StartProblem) -> ResolvedEnvironment {
        do {
            let environment = try context.images.resolve(container.image)
            containers[container.name, default: ContainerRun()].lastPull = nil
            return environment
        } catch {
            context.blocked.set(key, true)
            throw imageProblem(error, container, spec)
        }
    }

    private func imageProblem(_ error: ImageError, _ container: ContainerSpec, _ spec: PodSpec) -> StartProblem {
        if case .invalidReference = error {
            tell(spec, container, "InvalidImageName", "\(error)", event: "InspectFailed")
            return StartProblem()
        }
        if container.pullPolicy == "Never" {
            let message = "Container image \"\(container.image)\" is not present with pull policy of Never: \(error)"
            tell(spec, container, "ErrImageNeverPull", message, event: "ErrImageNeverPull")
            return StartProblem()
        }
        let now = context.now
        var run = containers[container.name] ?? ContainerRun()
        if let last = run.lastPull, let left = run.pulls.remaining(since: last, now: now) {
            // The first reason stays for a second, so that whoever watches can see it.
            if now - last < .seconds(1), run.waiting?.reason == "ErrImagePull" { return StartProblem(retryAfter: .seconds(1)) }
            if run.waiting?.reason != "ImagePullBackOff" {
                event(spec, container, "Normal", "BackOff", "Back-off pulling image \"\(container.image)\"")
                event(spec, container, "Warning", "Failed", "Error: ImagePullBackOff")
            }
            wait(container, "ImagePullBackOff", "Back-off pulling image \"\(container.image)\": ErrImagePull: \(error)")
            return StartProblem(retryAfter: left)
        }
        run.pulls.next(event: run.lastPull ?? now, now: now)
        run.lastPull = now
        containers[container.name] = run
        event(spec, container, "Warning", "Failed", "Failed to pull image \"\(container.image)\": \(error)")
        event(spec, container, "Warning", "Failed", "Error: ErrImagePull")
        wait(container, "ErrImagePull", "\(error)")
        return StartProblem(retryAfter: .seconds(1))
    }

    // MARK: One attempt

    private func start(
        _ container: ContainerSpec, _ spec: PodSpec, _ environment: ResolvedEnvironment, _ volumes: [String: PodVolumes.Prepared]
    ) async throws -> Duration? {
        let name = container.name
        let attempt = (containers[name]?.attempt ?? -1) + 1
        let state = directory.attempt(attempt, of: name)
        let places = ContainerPlan.Places(
            identifier: "\(uid)-\(name)-\(attempt)", stateDirectory: state, logPath: directory.log(attempt, of: name),
            podDirectory: directory.path)
        let sandbox = try plan(container, spec, environment, volumes, places, try share(spec))
        try await makeRoom(for: attempt, of: name)
        if attempt == 0 { welcome(spec, container, environment) }
        begin(attempt, of: container, environment)
        do {
            let running = try await context.runtime.start(sandbox)
            containers[name]?.running = running
            follow(running, name, attempt: attempt)
            event(spec, container, "Normal", "Created", "Created container: \(name)")
            event(spec, container, "Normal", "Started", "Started container \(name)")
            begun(container, spec, attempt: attempt)
            return nil
        } catch let failure as ContainerSetupFailure {
            let now = context.now
            let exit = ContainerExit(exitCode: 128, startedAt: Timestamp(seconds: 0), finishedAt: now, failure: failure)
            containers[name]?.ended = terminated(name, attempt: attempt, exit)
            event(spec, container, "Normal", "Created", "Created container: \(name)")
            event(spec, container, "Warning", "Failed", "Error: \(failure)")
            // The end of this attempt is news like any other: look again.
            context.queue.add(key)
            return nil
        } catch {
            try await withdraw(attempt, of: name)
            throw error
        }
    }

    private func plan(
        _ container: ContainerSpec, _ spec: PodSpec, _ environment: ResolvedEnvironment, _ volumes: [String: PodVolumes.Prepared],
        _ places: ContainerPlan.Places, _ shared: SharedPlaces?
    ) throws(StartProblem) -> SandboxSpec {
        let devices = try devices(of: container, spec)
        let plan = ContainerPlan(
            pod: spec, container: container, environment: environment, volumes: volumes, fields: fields(spec),
            config: context.config(namespace: spec.namespace), settings: context.settings,
            devices: devices,
            services: ServiceEnvironment.visible(to: spec, in: context.catalogue))
        do {
            let sandbox = try plan.spec(
                places, namespaces: joined(by: container, shared), sharedMemory: shared?.memory)
            let refused = plan.refusedCapabilities
            if !refused.isEmpty {
                event(
                    spec, container, "Warning", "CapabilitiesRefused",
                    "Capabilities beyond the runtime's default set are not given: \(refused.joined(separator: ", "))")
            }
            return sandbox
        } catch {
            context.blocked.set(key, true)
            tell(spec, container, error.reason, error.message, event: "Failed", prefix: "Error: ")
            throw StartProblem()
        }
    }

    /// What outlives each of several containers, whichever of them comes first and ends first.
    private func share(_ spec: PodSpec) throws -> SharedPlaces? {
        guard spec.hasSeveral else { return nil }
        try Files.makeDirectory(directory.shared)
        return try context.runtime.share(directory.shared)
    }

    /// The attempt's directory is the record that it may have run: made before, never after.
    private func makeRoom(for attempt: Int, of name: String) async throws {
        // Not for the first one alone: a restored catalogue knows of attempts whose files it has not.
        try Files.makeDirectory(directory.attempts(of: name))
        try Files.makeDirectory(directory.logDirectory(of: name))
        if attempt >= 2 {
            try await context.runtime.remove(directory.attempt(attempt - 2, of: name))
            let old = directory.log(attempt - 2, of: name)
            let prefix = "\(attempt - 2).log"
            for file in Files.list(directory.logDirectory(of: name)) where file == prefix || file.hasPrefix("\(prefix).") {
                Files.removeFile("\(directory.logDirectory(of: name))/\(file)")
            }
            Files.removeFile(old)
        }
        let state = directory.attempt(attempt, of: name)
        if try !Files.makeNewDirectory(state) {
            // Left by a start that an earlier daemon did not come to.
            try await context.runtime.remove(state)
            try Files.makeDirectory(state)
        }
    }

    private func begin(_ attempt: Int, of container: ContainerSpec, _ environment: ResolvedEnvironment) {
        var run = containers[container.name] ?? ContainerRun()
        if let ended = run.ended {
            run.restarts.next(event: ended.finishedAt, now: context.now)
            run.last = ended
        }
        run.attempt = attempt
        run.ended = nil
        run.wasCutOff = false
        run.isAdopted = false
        run.waiting = nil
        run.health = ContainerHealth(container)
        run.postStart = .done
        run.stop = nil
        run.condemnation = nil
        run.imageID = environment.imageID
        run.stopSignal = StopSignal.number(environment.stopSignal)
        containers[container.name] = run
    }

    /// Undoes `begin`: the daemon could not start the attempt, so there was none.
    private func withdraw(_ attempt: Int, of name: String) async throws {
        var run = containers[name] ?? ContainerRun()
        run.attempt = attempt - 1
        run.ended = run.last
        containers[name] = run
        try await context.runtime.remove(directory.attempt(attempt, of: name))
    }

    private func welcome(_ spec: PodSpec, _ container: ContainerSpec, _ environment: ResolvedEnvironment) {
        event(spec, container, "Normal", "Pulled", "Container image \"\(container.image)\" already present on machine")
        if !environment.warnings.isEmpty {
            event(spec, container, "Warning", "ImageDiffers", environment.warnings.joined(separator: "; "))
        }
    }

    // MARK: Words

    func fields(_ spec: PodSpec) -> FieldReference {
        FieldReference(
            pod: spec, podAddress: address?.address ?? "", hostAddress: context.settings.address, allocatable: context.allocatable)
    }

    private func wait(_ container: ContainerSpec, _ reason: String, _ message: String) {
        containers[container.name, default: ContainerRun()].waiting = WaitingState(reason, message)
    }

    /// Sets the waiting reason, with an Event the first time.
    func tell(
        _ spec: PodSpec, _ container: ContainerSpec, _ reason: String, _ message: String, event kind: String, prefix: String = ""
    ) {
        let waiting = WaitingState(reason, message)
        if containers[container.name]?.waiting != waiting { event(spec, container, "Warning", kind, prefix + message) }
        containers[container.name, default: ContainerRun()].waiting = waiting
    }

    private func event(_ spec: PodSpec, _ container: ContainerSpec, _ type: String, _ reason: String, _ message: String) {
        context.client.event(spec.object, type: type, reason: reason, message: message, fieldPath: container.fieldPath)
    }
}

/// A container cannot start now; its waiting reason says why. Without a time, a change of what it waits for wakes the pod.
struct StartProblem: Error {
    var retryAfter: Duration?
}
