import KubeModel

/// One pod of a workflow, its container `main` in particular.
public struct StepPod: Sendable {
    public let namespace: String
    public let name: String
    public let uid: String
}

/// A file of an ended pod.
public enum StepFile: Sendable, Equatable {
    case text(String)
    /// Why it cannot be read, in words for the user.
    case unreadable(String)
}

/// Where the outputs of ended pods are read: the node in the lab, a double in tests.
public protocol StepOutputSource: Sendable {
    /// The end of what the container `main` printed to its standard output; `nil` where it never ran.
    /// - Parameter limit: the most bytes.
    func standardOutput(of pod: StepPod, limit: Int) async -> String?
    /// A file of the container `main` that the pod's annotation named.
    func file(_ path: String, of pod: StepPod) async -> StepFile
}

/// What was read of one ended pod.
struct StepCapture: Sendable {
    var result: String?
    var files: [String: StepFile] = [:]

    /// As much of a result is kept (argo workflow/executor: the last 256 KiB).
    static let resultLimit = 256 << 10

    /// Argo takes one newline off the end of results and of parameters from files.
    static func trimmed(_ text: String) -> String { text.hasSuffix("\n") ? String(text.dropLast()) : text }
}

/// What the controller notes at a pod for the time of its end.
enum StepAnnotation {
    /// A list of paths for the node, which keeps these files.
    static let keptFiles = "kindling.dev/kept-files"
    /// The template's `outputs.parameters`, tags replaced.
    static let parameters = "kindling.dev/output-parameters"
    /// The standard output is wanted as `outputs.result`.
    static let result = "kindling.dev/output-result"
    /// The step counts as done as soon as the pod is ready.
    static let daemon = "kindling.dev/daemon"
}

/// What one look at a workflow needs to know beyond its own objects.
struct Surroundings: Sendable {
    struct Problem: Error, CustomStringConvertible { let description: String }

    /// By the name of the pod.
    var captures: [String: StepCapture] = [:]
    /// The value of a ConfigMap's key.
    var configValue: @Sendable (_ name: String, _ key: String) -> Result<String, Problem> = { name, _ in
        .failure(Problem(description: "configmap '\(name)' not found"))
    }
    /// Of kind Pod, for the merge keys of its lists.
    var podSchema: Schema?
}
