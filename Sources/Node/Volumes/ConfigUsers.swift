import Catalogue
import KubeModel
import Synchronization

/// Which pods show which ConfigMaps and Secrets as files, so that a change of one finds those that must change with it.
final class ConfigUsers: Sendable {
    private struct State {
        var pods: [ObjectKey: Set<ObjectKey>] = [:]
        var objects: [ObjectKey: Set<ObjectKey>] = [:]
    }

    private let state = Mutex(State())

    /// Replaces what a pod uses.
    func set(_ pod: ObjectKey, _ objects: Set<ObjectKey>) {
        state.withLock { state in
            let old = state.objects[pod] ?? []
            guard old != objects else { return }
            for object in old.subtracting(objects) {
                state.pods[object]?.remove(pod)
                if state.pods[object]?.isEmpty ?? false { state.pods[object] = nil }
            }
            for object in objects { state.pods[object, default: []].insert(pod) }
            state.objects[pod] = objects.isEmpty ? nil : objects
        }
    }

    /// All pods that show any.
    var all: [ObjectKey] { state.withLock { Array($0.objects.keys) } }

    /// The pods that show an object.
    func pods(of object: ObjectKey) -> Set<ObjectKey> { state.withLock { $0.pods[object] ?? [] } }

    /// The ConfigMaps and Secrets that a pod's volumes name.
    static func references(of pod: PodSpec) -> Set<ObjectKey> {
        var keys: Set<ObjectKey> = []
        func add(_ resource: GroupResource, _ name: JSON) {
            if let name = name.stringValue { keys.insert(ObjectKey(resource, namespace: pod.namespace, name: name)) }
        }
        for volume in pod.json["volumes"].elements {
            add(.configMaps, volume["configMap"]["name"])
            add(.secrets, volume["secret"]["secretName"])
            for source in volume["projected"]["sources"].elements {
                add(.configMaps, source["configMap"]["name"])
                add(.secrets, source["secret"]["name"])
            }
        }
        return keys
    }
}
