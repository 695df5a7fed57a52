import Catalogue
import KubeModel
import Synchronization

/// The devices of one pod, by their qualified names; kept in its record.
struct DeviceAssignment: Sendable, Equatable {
    /// What each container sees.
    var byContainer: [String: [String]] = [:]
    /// What the pod holds: a device once for each share of it. Init containers see what the others hold, so it is no sum.
    var held: [String] = []

    /// What the pod's annotations asked for when it was admitted: they may be changed later, and nobody would look.
    var annotated: [String] = []

    var isEmpty: Bool { held.isEmpty && annotated.isEmpty }

    init() {}

    init(_ json: JSON) {
        for (container, names) in json["byContainer"].members { byContainer[container] = names.elements.compactMap(\.stringValue) }
        held = json["held"].elements.compactMap(\.stringValue)
        annotated = json["annotated"].elements.compactMap(\.stringValue)
    }

    var json: JSON {
        var containers = JSONObject()
        for (container, names) in byContainer.sorted(by: { $0.key < $1.key }) { containers[container] = .array(names.map(JSON.string)) }
        return ["byContainer": .object(containers), "held": .array(held.map(JSON.string)), "annotated": .array(annotated.map(JSON.string))]
    }
}

/// Which device belongs to which pod. A pod has its devices from before its first container starts until all have ended, whatever
/// becomes of labd: they stand in its record, from which `adopt` takes them up.
final class DevicePool: Sendable {
    /// What a container wants and nobody can give it now.
    struct Shortage: Error, Equatable, CustomStringConvertible {
        let resource: String
        let wanted: Int
        let free: Int
        /// Those that pods have, too.
        let all: Int
        let container: String

        var description: String {
            "\(wanted) of \(resource) are wanted by container \(container), and \(free) are free on this machine"
        }
    }

    let inventory: DeviceInventory
    /// By device the pods that have it, once for each share that a pod has.
    private let holders = Mutex<[String: [String]]>([:])
    private let waiting = Mutex<Set<ObjectKey>>([])

    init(inventory: DeviceInventory) {
        self.inventory = inventory
    }

    /// Devices for all containers of a pod, by container, or none at all.
    /// Init containers run before the others and use what those will have (upstream: kubelet's device manager, devicesToReuse).
    func take(for pod: PodSpec, uid: String) throws(Shortage) -> DeviceAssignment {
        let sidecars = pod.initContainers.filter(\.isSidecar)
        let early = pod.initContainers.filter { !$0.isSidecar }
        let result: Result<DeviceAssignment, Shortage> = holders.withLock { holders in
            // Asked again, after a start that failed before it was written down, it is given as if for the first time.
            var all = holders.mapValues { $0.filter { $0 != uid } }
            var assignment = DeviceAssignment()
            var lent: [String: [String]] = [:]
            do throws(Shortage) {
                for container in sidecars + pod.containers {
                    for (resource, count) in wanted(container) {
                        let names = try take(count, of: resource, for: uid, container, from: &all)
                        assignment.byContainer[container.name, default: []] += names
                        assignment.held += names
                        if !container.isSidecar { lent[resource, default: []] += names }
                    }
                }
                for container in early {
                    for (resource, count) in wanted(container) {
                        var names = Array((lent[resource] ?? []).prefix(count))
                        if names.count < count {
                            let more = try take(count - names.count, of: resource, for: uid, container, from: &all)
                            names += more
                            assignment.held += more
                            lent[resource, default: []] += more
                        }
                        assignment.byContainer[container.name, default: []] += names
                    }
                }
            } catch { return .failure(error) }
            holders = all
            return .success(assignment)
        }
        return try result.get()
    }

    /// Notes what a pod was given by an earlier daemon.
    func adopt(_ assignment: DeviceAssignment, for uid: String) {
        holders.withLock { holders in
            for name in holders.keys { holders[name]?.removeAll { $0 == uid } }
            for name in assignment.held { holders[name, default: []].append(uid) }
        }
    }

    /// - Returns: the pods that wait for devices, to be looked at now.
    func release(_ uid: String) -> Set<ObjectKey> {
        let hadSome = holders.withLock { holders in
            let names = holders.filter { $0.value.contains(uid) }.keys
            for name in names { holders[name]?.removeAll { $0 == uid } }
            return !names.isEmpty
        }
        guard hadSome else { return [] }
        return waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
    }

    /// Notes a pod that is to be looked at when devices are given back.
    func wait(_ key: ObjectKey) { _ = waiting.withLock { $0.insert(key) } }

    /// How many shares of a resource nobody has.
    func free(_ resource: String) -> Int { holders.withLock { free(resource, $0) } }

    private func free(_ resource: String, _ holders: [String: [String]]) -> Int {
        let shares = inventory.shares(of: resource)
        return (inventory.resources[resource] ?? []).reduce(0) { $0 + max(0, shares - (holders[$1]?.count ?? 0)) }
    }

    /// The device resources of a container's limits, in order. What no device here has is the scheduler's to refuse.
    private func wanted(_ container: ContainerSpec) -> [(resource: String, count: Int)] {
        PodResources.limits(of: container).filter { inventory.resources[$0.key] != nil && $0.value > .zero }.sorted { $0.key < $1.key }
            .map { (resource: $0.key, count: $0.value.value) }
    }

    /// The least used first, and no device twice to one container while there is another.
    private func take(
        _ count: Int, of resource: String, for uid: String, _ container: ContainerSpec, from holders: inout [String: [String]]
    ) throws(Shortage) -> [String] {
        let names = inventory.resources[resource] ?? []
        let shares = inventory.shares(of: resource)
        let available = free(resource, holders)
        guard count <= available else { throw Shortage(resource: resource, wanted: count, free: available, all: names.count * shares, container: container.name) }
        var taken: [String] = []
        while taken.count < count {
            let open = names.filter { (holders[$0]?.count ?? 0) < shares }
            func rank(_ name: String) -> (Int, Int) { (taken.count { $0 == name }, holders[name]?.count ?? 0) }
            guard let next = open.min(by: { rank($0) < rank($1) }) else {
                throw Shortage(resource: resource, wanted: count, free: available, all: names.count * shares, container: container.name)
            }
            holders[next, default: []].append(uid)
            taken.append(next)
        }
        return taken
    }
}
