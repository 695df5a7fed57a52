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
        try await publishEndpoints(client, text)
    }

    /// Upstream's apiserver is its own endpoints controller (pkg/controlplane/reconcilers).
    private static func publishEndpoints(_ client: Client, _ address: JSON) async throws {
        let port: JSON = ["name": "https", "port": JSON(port), "protocol": "TCP"]
        let subsets: JSON = [["addresses": [["ip": address]], "ports": [port]]]
        if let endpoints = client.get(.endpoints, namespace: "default", name: "kubernetes") {
            try await client.update(endpoints.key, uid: endpoints.uid) { if $0["subsets"] != subsets { $0["subsets"] = subsets } }
        } else {
            try await client.create([
                "apiVersion": "v1", "kind": "Endpoints",
                "metadata": ["name": "kubernetes", "namespace": "default", "labels": ["endpointslice.kubernetes.io/skip-mirror": "true"]],
                "subsets": subsets,
            ])
        }
        let endpoints: JSON = [["addresses": [address], "conditions": ["ready": true]]]
        if let slice = client.get(.endpointSlices, namespace: "default", name: "kubernetes") {
            try await client.update(slice.key, uid: slice.uid) { if $0["endpoints"] != endpoints { $0["endpoints"] = endpoints } }
        } else {
            try await client.create([
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                "metadata": ["name": "kubernetes", "namespace": "default", "labels": ["kubernetes.io/service-name": "kubernetes"]],
                "endpoints": endpoints, "ports": [port],
            ])
        }
    }
}
