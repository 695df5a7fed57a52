import Catalogue
import KubeModel

/// Katib's own configuration: the ConfigMap `katib-config` in the namespace `kubeflow` (pkg/apis/config/v1beta1/types.go). There
/// need not be one. What it names beside the algorithms that are there, or another image for one of these, is a service of the user's.
struct KatibConfig: Sendable {
    private let runtime: JSON
    /// Why it could not be read.
    let problem: String?

    private static let key = ObjectKey(.configMaps, namespace: "kubeflow", name: "katib-config")
    private static let file = "katib-config.yaml"
    /// Images of upstream's services; what they do is in this lab anyway.
    private static let stock = ["kubeflowkatib/", "docker.io/kubeflowkatib/", "ghcr.io/kubeflow/katib/"]

    init(_ catalogue: Catalogue) {
        guard let text = catalogue.get(Self.key)?.value["data"][Self.file].stringValue else {
            (runtime, problem) = (.null, nil)
            return
        }
        guard let documents = try? YAML.load(text), documents.count == 1 else {
            (runtime, problem) = (.null, "\(Self.file) of the ConfigMap kubeflow/katib-config is not one YAML document")
            return
        }
        (runtime, problem) = (documents[0]["runtime"], nil)
    }

    /// The names of the user's services.
    var suggestions: [String] { Self.names(runtime["suggestions"]) }
    var earlyStoppings: [String] { Self.names(runtime["earlyStoppings"]) }

    private static func names(_ list: JSON) -> [String] { list.elements.compactMap { $0["algorithmName"].stringValue } }

    /// The entry of an algorithm whose image is the user's own.
    func suggestion(_ algorithm: String) -> JSON? { entry(runtime["suggestions"], algorithm).flatMap { Self.isOwn($0) ? $0 : nil } }
    func earlyStopping(_ algorithm: String) -> JSON? { entry(runtime["earlyStoppings"], algorithm).flatMap { Self.isOwn($0) ? $0 : nil } }

    private func entry(_ list: JSON, _ algorithm: String) -> JSON? { list.elements.first { $0["algorithmName"].stringValue == algorithm } }

    /// An entry with a command is the user's own as well, whatever runs it.
    private static func isOwn(_ entry: JSON) -> Bool {
        guard let image = entry["image"].stringValue, !image.isEmpty else { return false }
        return !entry["command"].isNull || !stock.contains { image.hasPrefix($0) }
    }

    /// The container that an entry describes: it is one, but for what the entry says of the pod around it.
    static func container(_ entry: JSON, name: String, port: Int, portName: String) -> JSON {
        var container = entry
        for key in ["algorithmName", "volumeMountPath", "persistentVolumeClaimSpec", "persistentVolumeSpec", "persistentVolumeLabels", "serviceAccountName"] {
            container.remove(key)
        }
        container["name"] = .string(name)
        container["ports"] = [["name": .string(portName), "containerPort": JSON(port)]]
        return container
    }
}
