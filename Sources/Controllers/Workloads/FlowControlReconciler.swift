public import Catalogue
public import ControllerRuntime
import KubeModel
public import Registry

/// Says of each FlowSchema whether its level is there, and brings back the objects that no apiserver is without (upstream:
/// apiserver/pkg/util/flowcontrol). That is all: nothing here orders requests.
public struct FlowControlReconciler: Reconciler {
    public let name = "flowcontrol-controller"
    private let client: Client

    public init(client: Client) { self.client = client }

    public var sources: [EventSource] {
        let client = client
        let levels = EventSource(.priorityLevels) { change in
            let users = client.list(.flowSchemas).filter { $0.spec["priorityLevelConfiguration"]["name"].stringValue == change.object.name }
            return [change.object.key] + users.map(\.key)
        }
        return [.objects(.flowSchemas), levels]
    }

    /// Makes what is missing: for the start, before anybody asks. Suggested objects that somebody deleted come back then, as upstream.
    public func makeAll() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for level in FlowControlObjects.levels { group.addTask { try await make(level, .priorityLevels) } }
            for schema in FlowControlObjects.schemas { group.addTask { try await make(schema, .flowSchemas) } }
            try await group.waitForAll()
        }
    }

    private func make(_ object: JSON, _ resource: GroupResource) async throws {
        guard client.get(resource, name: object["metadata"]["name"].stringValue ?? "") == nil else { return }
        var object = object
        if resource == .flowSchemas { object["status"]["conditions"] = [condition(object["spec"], isThere: true)] }
        do { try await client.create(object) } catch let problem as APIStatus where problem.reason == "AlreadyExists" {}
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let object = client.get(key) else {
            let known = key.resource == .flowSchemas ? FlowControlObjects.schemas : FlowControlObjects.levels
            if FlowControlObjects.mandatory.contains(key.name), let lost = known.first(where: { $0["metadata"]["name"].stringValue == key.name }) {
                try await make(lost, key.resource)
            }
            return .done
        }
        guard key.resource == .flowSchemas else { return .done }
        let level = object.spec["priorityLevelConfiguration"]["name"].stringValue ?? ""
        let wanted = condition(object.spec, isThere: client.get(.priorityLevels, name: level) != nil)
        _ = try await client.updateStatus(key, uid: object.uid) { status in
            let old = status["conditions"].elements
            let others = old.filter { $0["type"] != "Dangling" }
            var wanted = wanted
            if let before = old.first(where: { $0["type"] == "Dangling" }), before["status"] == wanted["status"] {
                wanted["lastTransitionTime"] = before["lastTransitionTime"]
            }
            status["conditions"] = .array(others + [wanted])
        }
        return .done
    }

    private func condition(_ spec: JSON, isThere: Bool) -> JSON {
        let reference = "This FlowSchema references the PriorityLevelConfiguration object named \(spec["priorityLevelConfiguration"]["name"].text)"
        return [
            "type": "Dangling", "status": isThere ? "False" : "True", "lastTransitionTime": .string(client.now.description),
            "reason": isThere ? "Found" : "NotFound", "message": .string("\(reference) \(isThere ? "and it exists" : "but there is no such object")"),
        ]
    }
}
