import Catalogue
import KubeModel
import LabNetwork
import Registry

extension PodWorker {
    /// What all containers of the pod need: its directory, address, devices, files and volumes. Safe to run again.
    func prepare(_ spec: PodSpec) async throws -> [String: PodVolumes.Prepared] {
        if record == nil { try checkRuntime(spec) }
        if address == nil { try await setUp(spec) }
        let volumes = volumes(spec)
        context.configUsers.set(key, ConfigUsers.references(of: spec))
        do throws(PodVolumes.Problem) {
            let prepared = try volumes.prepare()
            toldProblem = ""
            return prepared
        } catch {
            context.blocked.set(key, true)
            if toldProblem != error.message {
                toldProblem = error.message
                context.client.event(spec.object, type: "Warning", reason: "FailedMount", message: error.message)
            }
            // What it names may appear at any time, which wakes the pod; a full disk tells nobody when it has room again.
            throw StartProblem(retryAfter: .seconds(30))
        }
    }

    private func checkRuntime(_ spec: PodSpec) throws(StartProblem) {
        let catalogue = context.catalogue
        guard let problem = RuntimeHandlers.problem(of: spec.json, find: { catalogue.get(ObjectKey(.runtimeClasses, name: $0))?.value }) else { return }
        if toldProblem != problem {
            toldProblem = problem
            context.client.event(spec.object, type: "Warning", reason: "FailedCreatePodSandBox", message: "Failed to create pod sandbox: \(problem)")
        }
        // The class may be made anew, with another handler.
        throw StartProblem(retryAfter: .seconds(30))
    }

    private func volumes(_ spec: PodSpec) -> PodVolumes {
        let catalogue = context.catalogue
        return PodVolumes(
            pod: spec, directory: directory.volumes, settings: context.settings, fields: fields(spec),
            config: context.config(namespace: spec.namespace), find: { catalogue.get($0) }, tokens: context.tokens,
            isFirst: !containers.values.contains { $0.attempt >= 0 }, shown: shownFiles)
    }

    /// What containers see of ConfigMaps, Secrets and the pod's own labels follows those while they run.
    func refreshVolumes(_ spec: PodSpec) {
        guard PodVolumes.hasFiles(spec), containers.values.contains(where: { $0.running != nil }) else { return }
        context.configUsers.set(key, ConfigUsers.references(of: spec))
        let problem = volumes(spec).refresh().first?.message ?? ""
        if !problem.isEmpty, problem != toldProblem {
            context.client.event(spec.object, type: "Warning", reason: "FailedMount", message: problem)
        }
        toldProblem = problem
    }

    private func setUp(_ spec: PodSpec) async throws {
        for path in [directory.containers, directory.logs, directory.volumes] { try Files.makeDirectory(path) }
        var record = self.record ?? PodRecord(uid: uid, namespace: spec.namespace, name: spec.name)
        if self.record == nil { record.devices = try takeDevices(spec) }
        let address = try await context.network.take()
        record.address = address.address
        do {
            try record.write(to: directory.path)
            try writeFiles(spec, address.address)
            try await context.gate?.admit(spec.object, address: address.address)
        } catch {
            context.network.release(address)
            throw error
        }
        self.record = record
        self.address = address
    }

    /// `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf`, as kubelet manages them.
    private func writeFiles(_ spec: PodSpec, _ address: String) throws {
        let settings = context.settings
        let hostname = spec.hostname
        let domain = spec.fullHostname(domain: settings.clusterDomain)
        let aliases = spec.json["hostAliases"].elements.map { alias in
            (ip: alias["ip"].stringValue ?? "", hostnames: alias["hostnames"].elements.compactMap(\.stringValue))
        }
        let services = (settings.apiAddress.map { [APIServiceNames.entry($0)] } ?? []) + settings.services
        let hosts = PodFiles.hosts(
            podAddress: IPv4Address(address), hostname: hostname, subdomainFQDN: domain, services: services, aliases: aliases)
        try Files.write(hosts.utf8, to: "\(directory.path)/hosts")
        try Files.write("\(hostname)\n".utf8, to: "\(directory.path)/hostname")
        try Files.write(ResolverFile.text(of: spec, settings: settings).utf8, to: "\(directory.path)/resolv.conf")
    }
}
