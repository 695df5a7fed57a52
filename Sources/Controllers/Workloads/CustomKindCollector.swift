public import ControllerRuntime
public import Logging
public import Registry
import Catalogue
import Synchronization

/// Garbage collection for kinds that come and go with CustomResourceDefinitions. `GarbageCollector` follows the kinds that
/// are served when it starts; this follows each one that appears later, as long as its task runs.
public struct CustomKindCollector: Sendable {
    private let client: Client
    private let manager: ControllerManager
    private let known: Set<GroupResource>

    /// - Parameter collector: made just before, so that the two miss no kind between them.
    public init(client: Client, manager: ControllerManager, following collector: GarbageCollector) {
        self.client = client
        self.manager = manager
        known = Set(collector.sources.map(\.resource))
    }

    /// Runs until its task is cancelled or the catalogue closes.
    public func run() async {
        await withDiscardingTaskGroup { group in
            var followed = known
            while !Task.isCancelled, !client.catalogue.isClosed {
                let revision = client.catalogue.list(.customResourceDefinitions).revision
                for resource in client.registry.storedResources where followed.insert(resource).inserted {
                    let collector = GarbageCollector(client: client, resources: [resource])
                    group.addTask { await manager.run([collector]) }
                }
                guard let watch = try? client.catalogue.watch(.customResourceDefinitions, since: revision) else { continue }
                // The registry learns of a new kind just after the write that this hears of; by the next change at the
                // latest (its status is set) it is served.
                for await _ in watch { if client.registry.storedResources.contains(where: { !followed.contains($0) }) { break } }
            }
        }
    }
}
