public import Catalogue
public import ControllerRuntime
import KubeModel
public import Registry
import Synchronization

/// kubeflow.org/v1 Notebooks: a StatefulSet of one pod, a Service, a token and a loopback port each.
///
/// The home directory is a claim that the user's Notebook names; it belongs to nobody and outlives the Notebook.
public final class NotebookReconciler: Reconciler {
    public let name = "notebook-controller"
    private let client: Client
    private let exposer: any NotebookExposer
    /// What is forwarded now, so that a look that finds nothing new asks for nothing.
    private let exposed = Mutex<[ObjectKey: Exposure]>([:])

    private struct Exposure: Equatable {
        var podIP: String
        var port: Int
        var loopbackPort: Int
    }

    /// The loopback port of a Notebook, on the Notebook itself: a new daemon takes the same port again.
    public static let portAnnotation = "kindling.dev/port"

    public init(client: Client, exposer: any NotebookExposer) {
        self.client = client
        self.exposer = exposer
    }

    public var sources: [EventSource] {
        [
            .objects(.notebooks), .controlled(.statefulSets, by: .notebooks, kind: "Notebook"),
            .controlled(.services, by: .notebooks, kind: "Notebook"), .controlled(.secrets, by: .notebooks, kind: "Notebook"),
            EventSource(.pods) { change in
                guard let name = change.object.metadata["labels"]["notebook-name"].stringValue else { return [] }
                return [ObjectKey(.notebooks, namespace: change.object.namespace, name: name)]
            },
        ]
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let notebook = client.get(key), !notebook.isBeingDeleted else {
            if exposed.withLock({ $0.removeValue(forKey: key) }) != nil { await exposer.withdraw(namespace: key.namespace, name: key.name) }
            return .done
        }
        if notebook.spec["template"]["spec"]["containers"].elements.isEmpty {
            client.event(
                notebook, type: "Warning", reason: "InvalidTemplate", message: "spec.template.spec.containers: expected at least one container, found none")
            return .done
        }
        // The Secret first: the pod's environment refers to it.
        let own = NotebookPlan.ownToken(notebook)
        let secret = NotebookPlan.secret(notebook, token: own ?? NotebookPlan.randomToken())
        _ = try await ensure(secret, .secrets, notebook) { [client] existing, wanted in
            // A random token is made once; the user's own is followed.
            guard own != nil else { return existing }
            return try await client.update(existing.key, uid: existing.uid) { $0["data"] = wanted["data"] }
        }
        let set = try await ensure(NotebookPlan.statefulSet(notebook), .statefulSets, notebook, alignSet)
        _ = try await ensure(NotebookPlan.service(notebook), .services, notebook) { [client] service, wanted in
            try await client.update(service.key, uid: service.uid) { Self.updateService(&$0, wanted) }
        }
        let pod = client.get(.pods, namespace: key.namespace, name: "\(notebook.name)-0").flatMap { pod in
            set.map { pod.controllerReference["uid"].stringValue == $0.uid } == true ? pod : nil
        }
        let status = NotebookPlan.status(notebook, set: set, pod: pod)
        try await client.updateStatus(key, uid: notebook.uid) { $0 = status }
        try await forward(notebook, pod)
        return .done
    }

    // MARK: Owned objects

    /// Makes an object, or brings one that this Notebook controls into line.
    /// - Parameter align: changes the stored object where it differs from the wanted one, and returns it.
    /// - Returns: the object; `nil` where one of that name belongs to somebody else.
    private func ensure(
        _ wanted: JSON, _ resource: GroupResource, _ notebook: StoredObject, _ align: (StoredObject, JSON) async throws -> StoredObject?
    ) async throws -> StoredObject? {
        let key = ObjectKey(resource, namespace: notebook.namespace, name: wanted["metadata"]["name"].stringValue ?? notebook.name)
        guard let existing = client.get(key) else {
            do { return try await client.create(wanted) } catch let problem as APIStatus where problem.code == 403 { return nil }
        }
        let owner = existing.controllerReference
        if owner["uid"].stringValue == notebook.uid {
            return try await align(existing, wanted)
        }
        // One that an earlier Notebook of this name left is on its way out; its end brings the next look.
        if owner["kind"].stringValue == "Notebook", owner["name"].stringValue == notebook.name { return nil }
        client.event(
            notebook, type: "Warning", reason: "NameTaken",
            message: "\(key) exists and is not this Notebook's: delete it, or give the Notebook another name")
        return nil
    }

    /// Upstream's CopyStatefulSetFields: replicas and template. The template goes through admission again, so that it is
    /// stored with all defaults, as a user's would be.
    private func alignSet(_ set: StoredObject, _ wanted: JSON) async throws -> StoredObject? {
        let mark = wanted["metadata"]["annotations"][NotebookPlan.templateMark]
        let replicas = wanted["spec"]["replicas"]
        if set.metadata["annotations"][NotebookPlan.templateMark] == mark {
            return try await client.update(set.key, uid: set.uid) { $0["spec"]["replicas"] = replicas }
        }
        guard let kind = client.registry.kind(.statefulSets) else { return set }
        var object = set.value
        object["metadata"]["annotations"][NotebookPlan.templateMark] = mark
        object["spec"]["template"] = wanted["spec"]["template"]
        object["spec"]["replicas"] = replicas
        let options = WriteOptions(manager: client.manager, origin: .controller)
        return try await client.registry.update(kind, namespace: set.namespace, name: set.name, object, subresource: nil, options).object
    }

    private static func updateService(_ service: inout JSON, _ wanted: JSON) {
        for key in ["selector", "ports"] where !service["spec"][key].covers(wanted["spec"][key]) { service["spec"][key] = wanted["spec"][key] }
    }

    // MARK: Port

    private func forward(_ notebook: StoredObject, _ pod: StoredObject?) async throws {
        let key = notebook.key
        guard let pod, !pod.isBeingDeleted, pod.status["phase"].stringValue == "Running", let podIP = pod.status["podIP"].stringValue, !podIP.isEmpty
        else {
            if NotebookPlan.isStopped(notebook), exposed.withLock({ $0.removeValue(forKey: key) }) != nil {
                await exposer.withdraw(namespace: key.namespace, name: key.name)
            }
            return
        }
        let port = NotebookPlan.port(notebook)
        let known = exposed.withLock { $0[key] }
        if let known, known.podIP == podIP, known.port == port { return }
        let preferred = known?.loopbackPort ?? notebook.annotations[Self.portAnnotation].flatMap(Int.init)
        let loopback = try await exposer.expose(
            namespace: key.namespace, name: key.name, podIP: podIP, port: port, preferredPort: preferred)
        exposed.withLock { $0[key] = Exposure(podIP: podIP, port: port, loopbackPort: loopback) }
        try await client.update(key, uid: notebook.uid) { $0["metadata"]["annotations"][Self.portAnnotation] = .string("\(loopback)") }
    }
}

extension JSON {
    /// Whether this has everything that the other has: members beside are allowed, elements beside are not.
    func covers(_ other: JSON) -> Bool {
        switch (self, other) {
        case (.object(let mine), .object(let theirs)):
            return theirs.allSatisfy { key, value in value.isNull || (mine[key] ?? .null).covers(value) }
        case (.array(let mine), .array(let theirs)):
            return mine.count == theirs.count && zip(mine, theirs).allSatisfy { $0.covers($1) }
        default: return self == other
        }
    }
}
