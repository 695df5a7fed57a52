import Catalogue
import KubeModel

/// Devices that a pod asks for by annotation: `cdi.k8s.io/KEY: vendor.com/class=name,…`, for all of its containers
/// (upstream: container-device-interface, pkg/cdi/annotations.go). Nobody counts these, and any device may be named, so as with
/// other things of the host it takes a namespace whose policy is privileged.
enum DeviceAnnotations {
    static let prefix = "cdi.k8s.io/"
    /// Pod security's label of a namespace; a pod's own policy cannot be weaker.
    static let policyLabel = "pod-security.kubernetes.io/enforce"

    /// The qualified names, in the order of the annotations' keys.
    static func devices(of pod: JSON) -> [String] {
        let annotations = pod["metadata"]["annotations"].members.filter { $0.key.hasPrefix(prefix) }
        return annotations.sorted { $0.key < $1.key }.flatMap { _, value in
            (value.stringValue ?? "").split(separator: ",").map { $0.filter { !$0.isWhitespace } }.filter { !$0.isEmpty }
        }
    }

    /// Why a pod may not have what its annotations ask for; `nil` where it may.
    /// - Parameter namespace: its Namespace object.
    static func refusal(of pod: JSON, namespace: JSON?) -> PodPolicy.Refusal? {
        let wanted = devices(of: pod)
        if wanted.isEmpty { return nil }
        if namespace?["metadata"]["labels"][policyLabel].stringValue != "privileged" {
            let name = pod["metadata"]["namespace"].stringValue ?? "default"
            return PodPolicy.Refusal(
                reason: "DeviceAnnotationForbidden",
                message: "devices by annotation (\(wanted.joined(separator: ", "))) are refused in namespace \(name): ask with limits, such as "
                    + "\(NVIDIADriver.kind): 1, or have the administrator label the namespace \(policyLabel)=privileged")
        }
        for name in wanted {
            let parts = name.split(separator: "=", omittingEmptySubsequences: false)
            guard parts.count == 2, CDISpecification.problem(ofKind: String(parts[0])) == nil, CDISpecification.problem(ofDevice: String(parts[1])) == nil
            else {
                return PodPolicy.Refusal(
                    reason: "DeviceAnnotationInvalid", message: "expected a device such as \(NVIDIADriver.kind)=0, found \(JSON.quoted(name))")
            }
        }
        return nil
    }
}
