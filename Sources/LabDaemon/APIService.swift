import Catalogue
import KubeModel
import LabNetwork
import Registry

/// The Service `kubernetes` in the namespace `default`: the API as pods see it. Its address is labd's own in the pods' network,
/// so nothing has to be translated on the way.
enum APIService {
    static let address = PodNetwork.apiAddress
    static let port = PodNetwork.apiPort
    /// The address as a certificate has it.
    static let octets: [UInt8] = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: address.bits >> $0) }

    /// Makes the Service and its Endpoints, or puts them right.
    static func publish(_ client: Client) async throws {
        let labels: JSON = ["component": "apiserver", "provider": "kubernetes"]
        let text = JSON.string(address.description)
        let ports: JSON = [["name": "https", "port": JSON(port), "protocol": "TCP", "targetPort": JSON(port)]]
        if let service = client.get(.services, namespace: "default", name: "kubernetes") {
            try await client.update(service.key, uid: service.uid) { value in
                if value["spec"]["clusterIP"] != text {
                    value["spec"]["clusterIP"] = text
                    value["spec"]["clusterIPs"] = [text]
                }
                if value["spec"]["ports"] != ports { value["spec"]["ports"] = ports }
            }
        } else {
            try await client.create([
                "apiVersion": "v1", "kind": "Service", "metadata": ["name": "kubernetes", "namespace": "default", "labels": labels],
                "spec": [
                    "type": "ClusterIP", "clusterIP": text, "clusterIPs": [text], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
                    "ports": ports,
                ],
            ])
        }
        guard client.registry.kind(.endpoints) != nil else { return }
        let subsets: JSON = [["addresses": [["ip": text]], "ports": [["name": "https", "port": JSON(port), "protocol": "TCP"]]]]
        if let endpoints = client.get(.endpoints, namespace: "default", name: "kubernetes") {
            try await client.update(endpoints.key, uid: endpoints.uid) { if $0["subsets"] != subsets { $0["subsets"] = subsets } }
        } else {
            try await client.create([
                "apiVersion": "v1", "kind": "Endpoints",
                "metadata": ["name": "kubernetes", "namespace": "default", "labels": ["endpointslice.kubernetes.io/skip-mirror": "true"]],
                "subsets": subsets,
            ])
        }
    }
}
