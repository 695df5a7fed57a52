import Catalogue
import KubeModel
import LabNetwork
import Registry

/// The Service `kubernetes` in the namespace `default`: the API as pods see it.
enum APIService {
    static let address = PodNetwork.apiAddress
    static let port = PodNetwork.apiPort
    /// The address as a certificate has it.
    static let octets: [UInt8] = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: address.bits >> $0) }

    static func publish(_ client: Client) async throws {
        try await OwnService(
            namespace: "default", name: "kubernetes", labels: ["component": "apiserver", "provider": "kubernetes"], address: address,
            ports: [["name": "https", "port": JSON(port), "protocol": "TCP", "targetPort": JSON(port)]]
        ).publish(client)
    }
}
