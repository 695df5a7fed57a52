import Catalogue
import KubeModel

/// Sidecars serve a step's main container and end with it (argo workflow/executor, KillSidecars): a pod of the step counts by
/// how `main` ended.
enum StepSidecars {
    /// Whether the main container of a pod with several has ended.
    static func isMainDone(_ pod: StoredObject) -> Bool { exitCode(pod) != nil }

    /// Whether it has ended of its own accord: by no signal that ends a pod.
    static func endedByItself(_ pod: StoredObject) -> Bool { exitCode(pod).map { ![137, 143].contains($0) } ?? false }

    private static func exitCode(_ pod: StoredObject) -> Int? {
        let statuses = pod.status["containerStatuses"].elements
        guard statuses.count > 1, let main = statuses.first(where: { $0["name"].stringValue == "main" }) else { return nil }
        return main["state"]["terminated"]["exitCode"].intValue
    }
}
