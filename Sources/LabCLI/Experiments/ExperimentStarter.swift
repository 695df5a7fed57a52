import KubeModel

/// Creates an Experiment with the objects that it needs; those of its namespace go with it.
struct ExperimentStarter {
    let client: APIClient
    private var writer: ObjectWriter

    init(_ client: APIClient, namespace: String?) async throws {
        self.client = client
        writer = try await ObjectWriter(client, namespace: namespace)
    }

    /// What the experiment needs is there before its first pod wants it. Where the experiment is refused, it is removed again.
    /// - Parameter preparation: a Job, and what only it needs: they are waited for and removed.
    /// - Parameter shared: objects of another experiment that this one needs as well: they stay as long as one of the two is there.
    mutating func start(_ experiment: JSON, with companions: [JSON], after preparation: [JSON] = [], sharing shared: [SharedObject] = [], origin: String) async throws -> WrittenObject {
        var made: [WrittenObject] = []
        do {
            for companion in companions {
                made.append(try await writer.create(Manifest(object: companion, origin: companion["metadata"]["name"].stringValue ?? origin)))
            }
            try await prepare(preparation, origin)
            let run = try await writer.create(Manifest(object: experiment, origin: origin))
            let owner: JSON = [
                "apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "name": .string(run.name), "uid": run.object["metadata"]["uid"],
            ]
            for companion in made where companion.resource.isNamespaced {
                try await setOwners([owner], of: companion.resource.path(namespace: companion.namespace, name: companion.name))
            }
            for object in shared { try await setOwners(object.owners + [owner], of: object.path) }
            return run
        } catch {
            for companion in made { _ = try? await client.request(.DELETE, companion.resource.path(namespace: companion.namespace, name: companion.name)) }
            throw error
        }
    }

    private mutating func prepare(_ objects: [JSON], _ origin: String) async throws {
        var made: [WrittenObject] = []
        func remove() async {
            for object in made {
                _ = try? await client.request(
                    .DELETE, object.resource.path(namespace: object.namespace, name: object.name), query: [("propagationPolicy", "Background")])
            }
        }
        do {
            for object in objects { made.append(try await writer.create(Manifest(object: object, origin: object["metadata"]["name"].stringValue ?? origin))) }
            for job in made where job.resource.kind == "Job" {
                let query = ObjectQuery.named(job.name, job.resource, job.namespace)
                try await client.wait(for: query) { object in
                    guard let object else { throw CommandError("the job \(job.name) was deleted before it ended") }
                    let completion = Completion.of(object)
                    if completion.state == .failed {
                        throw CommandError("the job \(job.name), which lays the code out, failed: \(completion.message)")
                    }
                    return completion.hasEnded
                }
            }
        } catch {
            await remove()
            throw error
        }
        await remove()
    }

    private func setOwners(_ owners: [JSON], of path: String) async throws {
        _ = try await client.request(
            .PATCH, path, body: ["metadata": ["ownerReferences": .array(owners)]], contentType: "application/merge-patch+json")
    }
}

/// A ConfigMap or claim that goes with an Experiment and that another one needs too.
struct SharedObject: Sendable {
    let path: String
    let owners: [JSON]

    /// What the trials of an experiment mount, or take their template from, and what goes with it.
    static func all(of experiment: JSON, _ client: APIClient) async throws -> [SharedObject] {
        let catalog = try await client.discover()
        let namespace = experiment["metadata"]["namespace"].stringValue
        let template = experiment["spec"]["trialTemplate"]
        var references = ManifestReferences(template).objects.filter { ["ConfigMap", "PersistentVolumeClaim", "Secret"].contains($0.kind) }
            .map { ($0.kind, $0.name) }
        if let name = template["configMap"]["configMapName"].stringValue, template["configMap"]["configMapNamespace"].stringValue == namespace {
            references.append(("ConfigMap", name))
        }
        var found: [SharedObject] = []
        for (kind, name) in references {
            guard let resource = catalog.find(apiVersion: "v1", kind: kind) else { continue }
            let path = resource.path(namespace: namespace, name: name)
            let answer = try await client.exchange(.GET, path)
            guard answer.status == 200 else { continue }
            let owners = try answer.json()["metadata"]["ownerReferences"].elements
            if owners.contains(where: { $0["uid"] == experiment["metadata"]["uid"] }) { found.append(SharedObject(path: path, owners: owners)) }
        }
        return found
    }
}
