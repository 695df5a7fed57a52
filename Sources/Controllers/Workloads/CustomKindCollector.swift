import Catalogue
public import ControllerRuntime
public import Registry

/// Garbage collection for kinds that come and go with CustomResourceDefinitions. `GarbageCollector` follows the kinds that
/// are served when it is made; this follows each one that appears later, as long as its task runs.
public struct CustomKindCollector: Sendable {
    private let client: Client
    private let manager: ControllerManager
    private let known: Set<GroupResource>

    /// - Parameter collector: the one that follows the kinds of the start.
    public init(client: Client, manager: ControllerManager, beside collector: GarbageCollector) {
        self.client = client
        self.manager = manager
        known = Set(collector.followed)
    }

    /// Runs until its task is cancelled or the catalogue closes.
    public func run() async {
        await withDiscardingTaskGroup { group in
            var followed = known
            func follow(_ definition: StoredObject) {
                let spec = definition.spec
                guard let group = spec["group"].stringValue, let plural = spec["names"]["plural"].stringValue else { return }
                add(GroupResource(plural, group: group))
            }
            func add(_ resource: GroupResource) {
                guard followed.insert(resource).inserted else { return }
                let collector = GarbageCollector(client: client, resources: [resource])
                group.addTask { await manager.run([collector]) }
            }
            while !Task.isCancelled, !client.catalogue.isClosed {
                let (definitions, revision) = client.catalogue.list(.customResourceDefinitions)
                for definition in definitions { follow(definition) }
                guard let watch = try? client.catalogue.watch(.customResourceDefinitions, since: revision) else { continue }
                for await change in watch { follow(change.object) }
            }
        }
    }
}
