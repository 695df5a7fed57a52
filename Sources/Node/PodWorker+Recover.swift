import Catalogue
import KubeModel
import Logging

extension PodWorker {
    /// Takes up a pod that an earlier daemon has left: its record on disk, its containers whether they run or not.
    func recover(_ pod: StoredObject) async {
        hasRecovered = true
        record = PodRecord(directory: directory.path)
        let spec = PodSpec(pod)
        if let record {
            if !record.address.isEmpty { address = context.network.existing(record.address) }
            context.devices.adopt(record.devices, for: uid)
        }
        let statuses = pod.status["initContainerStatuses"].elements + pod.status["containerStatuses"].elements
        for container in spec.all {
            let status = statuses.first { $0["name"].stringValue == container.name } ?? .null
            await recover(container, spec, status)
        }
    }

    private func recover(_ container: ContainerSpec, _ spec: PodSpec, _ status: JSON) async {
        let name = container.name
        var run = ContainerRun()
        let numbers = directory.attemptNumbers(of: name)
        var adopted: (any RunningContainer)?
        for number in numbers.reversed() {
            let state = directory.attempt(number, of: name)
            switch adopt(state) {
            case .neverStarted:
                // As if there had been no such attempt: the next start takes its number.
                do { try await context.runtime.remove(state) } catch { warn("cannot remove \(state)", error) }
                continue
            case .running(let running):
                run.running = running
                run.isAdopted = true
                adopted = running
            case .finished(let exit):
                run.ended = terminated(name, attempt: number, exit)
                if wasStopped(name, number, exit) { note(.stopped, container, &run) }
            case .lost:
                run.ended = lost(name, number, status)
                if run.ended?.reason == TerminatedState.unknown { note(.lost, container, &run) }
            }
            run.attempt = number
            break
        }
        if run.attempt < 0 { takeFromStatus(&run, name, status) }
        if run.attempt > 0 {
            run.last = previous(run.attempt, name, numbers, status)
            // Being stopped is no crash: what comes back after a disruption comes back at once.
            if !run.wasCutOff { run.restarts.resume(tries: run.attempt, at: adopted?.startedAt ?? run.ended?.startedAt ?? context.now) }
        }
        guard run.attempt >= 0 else { return }
        run.imageID = status["imageID"].stringValue ?? ""
        let environment = try? context.images.resolve(container.image)
        if run.imageID.isEmpty { run.imageID = environment?.imageID ?? "" }
        run.stopSignal = StopSignal.number(environment?.stopSignal ?? "")
        run.condemnation = Files.text(directory.verdict(run.attempt, of: name)).flatMap(ProbeKind.init).map(Condemnation.probe)
        run.health = ContainerHealth(container)
        if status["containerID"].stringValue == ContainerIdentifier.text(uid: uid, container: name, attempt: run.attempt) {
            run.health.resume(isStarted: status["started"].boolValue == true, isReady: status["ready"].boolValue == true)
        }
        containers[name] = run
        guard let adopted else { return }
        follow(adopted, name, attempt: run.attempt)
        begun(container, spec, attempt: run.attempt, isAdopted: true)
    }

    private func adopt(_ state: String) -> AdoptedContainer {
        do {
            return try context.runtime.adopt(stateDirectory: state)
        } catch {
            warn("cannot read the records in \(state)", error)
            return .lost
        }
    }

    /// Without a record on disk the catalogue is the only witness: what it saw running must not be run again.
    private func takeFromStatus(_ run: inout ContainerRun, _ name: String, _ status: JSON) {
        guard let identifier = status["containerID"].stringValue, !identifier.isEmpty else { return }
        run.attempt = status["restartCount"].intValue ?? 0
        run.ended = TerminatedState(status["state"]["terminated"]) ?? TerminatedState(status["lastState"]["terminated"])
        if status["state"].has("running") || run.ended == nil { run.ended = lost(name, run.attempt, status) }
    }

    private func lost(_ name: String, _ attempt: Int, _ status: JSON) -> TerminatedState {
        if let known = TerminatedState(status["state"]["terminated"]), status["restartCount"].intValue == attempt { return known }
        return .lost(
            containerID: ContainerIdentifier.text(uid: uid, container: name, attempt: attempt),
            startedAt: Timestamp(status["state"]["running"]["startedAt"]) ?? Timestamp(seconds: 0), now: context.now)
    }

    private func previous(_ attempt: Int, _ name: String, _ numbers: [Int], _ status: JSON) -> TerminatedState? {
        if numbers.contains(attempt - 1), case .finished(let exit) = adopt(directory.attempt(attempt - 1, of: name)) {
            return terminated(name, attempt: attempt - 1, exit)
        }
        return TerminatedState(status["lastState"]["terminated"])
    }

    private func warn(_ problem: String, _ error: any Error) {
        context.logger.warning("\(problem)", metadata: ["pod": "\(key)", "error": "\(error)"])
    }

    /// The terminated state of an attempt, with its last words (upstream: getTerminationMessage).
    func terminated(_ name: String, attempt: Int, _ exit: ContainerExit) -> TerminatedState {
        var exit = exit
        if wasEndedEarly(name, attempt), exit.failure == nil, !exit.isLost { (exit.exitCode, exit.signal, exit.oomKilled) = (0, 0, false) }
        var message = exit.failure?.description ?? ""
        if message.isEmpty { message = lastWords(name, attempt, hasFailed: exit.exitCode != 0) }
        let reason: String
        if exit.isLost {
            reason = TerminatedState.unknown
        } else if exit.failure != nil {
            reason = "StartError"
        } else if exit.oomKilled {
            reason = "OOMKilled"
        } else {
            reason = exit.exitCode == 0 ? "Completed" : "Error"
        }
        return TerminatedState(
            exitCode: exit.exitCode, signal: exit.signal, reason: reason, message: message, startedAt: exit.startedAt,
            finishedAt: exit.finishedAt, containerID: ContainerIdentifier.text(uid: uid, container: name, attempt: attempt))
    }

    private func lastWords(_ name: String, _ attempt: Int, hasFailed: Bool) -> String {
        let written = context.runtime.terminationMessage(stateDirectory: directory.attempt(attempt, of: name))
        if !written.isEmpty { return String(decoding: written.prefix(4096), as: UTF8.self) }
        guard hasFailed, let pod = context.catalogue.get(key), pod.uid == uid,
            PodSpec(pod).all.first(where: { $0.name == name })?.fallsBackToLogs == true
        else { return "" }
        // Upstream: MaxContainerTerminationMessageLogLength and …LogLines.
        return LogFiles(path: directory.log(attempt, of: name)).lastText(lines: 80, bytes: 2048)
    }
}

extension PodWorker {
    /// Takes up a pod whose object is gone: whatever has an attempt is found, so that `discard` can end it.
    func recoverOrphan() async {
        hasRecovered = true
        record = PodRecord(directory: directory.path)
        if let address = record?.address, !address.isEmpty { self.address = context.network.existing(address) }
        // Until its containers have ended nobody else may have them.
        if let devices = record?.devices { context.devices.adopt(devices, for: uid) }
        for name in Files.list(directory.containers) {
            guard let number = directory.attemptNumbers(of: name).last else { continue }
            guard case .running(let running)? = try? context.runtime.adopt(stateDirectory: directory.attempt(number, of: name)) else {
                continue
            }
            containers[name] = ContainerRun()
            containers[name]?.attempt = number
            containers[name]?.running = running
            follow(running, name, attempt: number)
        }
    }
}
