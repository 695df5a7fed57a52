import Catalogue
import KubeModel
import LabNetwork
import Registry

/// A Service that labd itself serves at an address of its own in the pods' network, so nothing has to be translated on the way.
struct OwnService: Sendable {
    var namespace: String
    var name: String
    var labels: JSON
    var address: IPv4Address
    /// As in a Service; each has a name.
    var ports: [JSON]

    /// Makes the Service and its endpoints, or puts them right.
    func publish(_ client: Client) async throws {
        let text = JSON.string(address.description)
        let ports = JSON.array(ports)
        if let service = client.get(.services, namespace: namespace, name: name) {
            try await client.update(service.key, uid: service.uid) { value in
                if value["spec"]["clusterIP"] != text {
                    value["spec"]["clusterIP"] = text
                    value["spec"]["clusterIPs"] = [text]
                }
                if value["spec"]["ports"] != ports { value["spec"]["ports"] = ports }
            }
        } else {
            try await client.create([
                "apiVersion": "v1", "kind": "Service", "metadata": ["name": .string(name), "namespace": .string(namespace), "labels": labels],
                "spec": [
                    "type": "ClusterIP", "clusterIP": text, "clusterIPs": [text], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
                    "ports": ports,
                ],
            ])
        }
        try await publishEndpoints(client, text)
    }

    /// Upstream's apiserver is its own endpoints controller (pkg/controlplane/reconcilers).
    private func publishEndpoints(_ client: Client, _ address: JSON) async throws {
        let ports: [JSON] = ports.map { ["name": $0["name"], "port": $0["port"], "protocol": $0["protocol"]] }
        let subsets: JSON = [["addresses": [["ip": address]], "ports": .array(ports)]]
        if let endpoints = client.get(.endpoints, namespace: namespace, name: name) {
            try await client.update(endpoints.key, uid: endpoints.uid) { if $0["subsets"] != subsets { $0["subsets"] = subsets } }
        } else {
            try await client.create([
                "apiVersion": "v1", "kind": "Endpoints",
                "metadata": [
                    "name": .string(name), "namespace": .string(namespace), "labels": ["endpointslice.kubernetes.io/skip-mirror": "true"],
                ], "subsets": subsets,
            ])
        }
        let endpoints: JSON = [["addresses": [address], "conditions": ["ready": true]]]
        if let slice = client.get(.endpointSlices, namespace: namespace, name: name) {
            try await client.update(slice.key, uid: slice.uid) { if $0["endpoints"] != endpoints { $0["endpoints"] = endpoints } }
        } else {
            try await client.create([
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                "metadata": [
                    "name": .string(name), "namespace": .string(namespace), "labels": ["kubernetes.io/service-name": .string(name)],
                ], "endpoints": endpoints, "ports": .array(ports),
            ])
        }
    }
}
