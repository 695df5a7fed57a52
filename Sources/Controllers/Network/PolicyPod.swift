import Catalogue
import KubeModel
import LabNetwork

/// A pod as NetworkPolicies see it.
struct PolicyPod: Hashable, Sendable {
    var namespace: String
    var labels: [String: String]
    var address: IPv4Address
    /// Those that have a name.
    var ports: [ServicePort]

    init(namespace: String, labels: [String: String], address: IPv4Address, ports: [ServicePort] = []) {
        self.namespace = namespace
        self.labels = labels
        self.address = address
        self.ports = ports
    }

    /// Nil without an address, and for a pod that has ended: its address may be another's already.
    /// - Parameter assigned: the address of a pod whose status does not have it yet.
    init?(_ pod: StoredObject, assigned: IPv4Address? = nil) {
        let status = pod.status
        if ["Succeeded", "Failed"].contains(status["phase"].stringValue ?? "") { return nil }
        guard let address = status["podIP"].stringValue.flatMap({ IPv4Address($0) }) ?? assigned else { return nil }
        namespace = pod.namespace
        labels = pod.labels
        self.address = address
        let sidecars = pod.spec["initContainers"].elements.filter { $0["restartPolicy"].stringValue == "Always" }
        ports = (pod.spec["containers"].elements + sidecars).flatMap { $0["ports"].elements }.compactMap { port in
            guard let name = port["name"].stringValue, !name.isEmpty, let number = port["containerPort"].intValue, (1...65535).contains(number) else { return nil }
            return ServicePort(name: name, transport: (port["protocol"].stringValue ?? "TCP").lowercased(), number: number)
        }
    }

    /// What labd itself serves to pods, under the labels that the pods have which serve it elsewhere: a policy that lets pods ask
    /// CoreDNS lets them ask labd.
    static let own = [
        PolicyPod(
            namespace: "kube-system", labels: ["k8s-app": "kube-dns"], address: ServiceRange.nameserver,
            ports: [
                ServicePort(name: "dns", transport: "udp", number: ServiceRange.nameserverPort),
                ServicePort(name: "dns-tcp", transport: "tcp", number: ServiceRange.nameserverPort),
            ]),
        PolicyPod(
            namespace: "kubeflow", labels: ["katib.kubeflow.org/component": "db-manager"], address: PodNetwork.gateway,
            ports: [ServicePort(name: "api", transport: "tcp", number: 6789)]),
    ]
}
