import Catalogue
import KubeModel

/// What has happened to one kind of object since a revision, without waiting for more to happen.
enum ChangeLog {
    /// - Throws: 410 where the log does not reach back that far, or holds more than a watch can.
    static func changes(
        of resource: GroupResource, namespace: String?, after revision: Int64, in catalogue: Catalogue
    ) async throws(APIStatus) -> [Change] {
        let watch: Watch
        do throws(RevisionExpired) { watch = try catalogue.watch(resource, namespace: namespace, since: revision) } catch {
            throw .expired(requested: error.requested, oldest: error.oldest)
        }
        // The log was copied into the watch when it was opened. A cancelled task reads what is there and then the end.
        let reader = Task {
            var changes: [Change] = []
            for await change in watch { changes.append(change) }
            return changes
        }
        reader.cancel()
        let changes = await reader.value
        if changes.count >= Watch.backlog { throw .expired(requested: revision, oldest: changes.last?.revision ?? revision) }
        return changes
    }
}
