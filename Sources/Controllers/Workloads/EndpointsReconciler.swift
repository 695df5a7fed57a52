public import Catalogue
public import ControllerRuntime
import KubeModel
public import Registry

/// Gives Services their cluster address and keeps their Endpoints: the addresses of the pods that the selector matches.
public struct EndpointsReconciler: Reconciler {
    public let name = "endpoint-controller"
    /// One at a time: two Services must not be given one address.
    public let concurrency = 1
    public let sources: [EventSource]
    private let client: Client
    private let addresses: ServiceAddresses

    public init(client: Client, addresses: ServiceAddresses = .standard) {
        self.client = client
        self.addresses = addresses
        let catalogue = client.catalogue
        sources = [
            .objects(.services), EventSource(.endpoints) { [ObjectKey(.services, namespace: $0.object.namespace, name: $0.object.name)] },
            EventSource(.pods) { Self.services(for: $0, in: catalogue) },
        ]
    }

    /// The Services whose Endpoints a change of a pod may change.
    static func services(for change: Change, in catalogue: Catalogue) -> [ObjectKey] {
        let (new, old) = (change.object, change.previous)
        if let old, change.kind == .modified, !concernsEndpoints(old, new) { return [] }
        let services = catalogue.list(.services, namespace: new.namespace).objects
        if services.isEmpty { return [] }
        let labels = [new.labels, old?.labels ?? [:]]
        return services.filter { service in
            guard let selector = selector(of: service) else { return false }
            return labels.contains { selector.matches($0) }
        }.map(\.key)
    }

    private static func concernsEndpoints(_ old: StoredObject, _ new: StoredObject) -> Bool {
        old.status["podIP"] != new.status["podIP"] || old.status["phase"] != new.status["phase"]
            || old.status["conditions"] != new.status["conditions"] || old.metadata["labels"] != new.metadata["labels"]
            || old.isBeingDeleted != new.isBeingDeleted
    }

    /// `nil` for a Service without a selector: its Endpoints are the user's.
    static func selector(of service: StoredObject) -> LabelSelector? {
        let labels = service.spec["selector"].stringMap
        if labels.isEmpty || service.spec["type"].stringValue == "ExternalName" { return nil }
        return LabelSelector(requirements: labels.map { LabelSelector.Requirement(key: $0.key, operator: .equals, values: [$0.value]) })
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        let endpointsKey = ObjectKey(.endpoints, namespace: key.namespace, name: key.name)
        guard let service = client.get(key) else {
            try await forget(endpointsKey)
            return .done
        }
        if service.isBeingDeleted { return .done }
        if ServiceAddresses.isWanted(service.value) { try await assignAddress(to: service) }
        guard let selector = Self.selector(of: service) else { return .done }
        let pods = client.list(.pods, namespace: key.namespace).filter { selector.matches(object: $0.value) }
        try await publish(EndpointsPlan.subsets(of: service, pods: pods), of: client.get(key) ?? service, at: endpointsKey)
        return .done
    }

    /// Endpoints that this controller made go with their Service.
    private func forget(_ key: ObjectKey) async throws {
        guard let endpoints = client.get(key), endpoints.labels[EndpointsPlan.managedByLabel] != nil else { return }
        try await client.delete(key, uid: endpoints.uid)
    }

    private func assignAddress(to service: StoredObject) async throws {
        let taken = Set(client.list(.services).compactMap { $0.spec["clusterIP"].stringValue })
        guard let address = addresses.address(namespace: service.namespace, name: service.name, taken: taken) else {
            client.event(service, type: "Warning", reason: "ClusterIPNotAllocated", message: "no address is free for this Service: delete one that is not needed")
            return
        }
        try await client.update(service.key, uid: service.uid) { value in
            guard ServiceAddresses.isWanted(value) else { return }
            value["spec"]["clusterIP"] = .string(address)
            value["spec"]["clusterIPs"] = [.string(address)]
            if value["spec"]["ipFamilies"].isNull { value["spec"]["ipFamilies"] = ["IPv4"] }
            if value["spec"]["ipFamilyPolicy"].isNull { value["spec"]["ipFamilyPolicy"] = "SingleStack" }
        }
    }

    private func publish(_ subsets: [JSON], of service: StoredObject, at key: ObjectKey) async throws {
        let labels = EndpointsPlan.labels(of: service)
        let wanted = subsets.isEmpty ? JSON.null : .array(subsets)
        guard let existing = client.get(key) else {
            var endpoints: JSON = [
                "apiVersion": "v1", "kind": "Endpoints",
                "metadata": ["name": .string(key.name), "namespace": .string(key.namespace), "labels": labels],
            ]
            endpoints.assign("subsets", wanted)
            do { try await client.create(endpoints) } catch let problem as APIStatus where problem.isNamespaceTerminating || problem.isNotFound {}
            return
        }
        try await client.update(key, uid: existing.uid) { value in
            if value["subsets"] != wanted { value.assign("subsets", wanted) }
            if value["metadata"]["labels"] != labels { value["metadata"]["labels"] = labels }
        }
    }
}
