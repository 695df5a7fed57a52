import Catalogue
import ClusterNetwork
import KubeModel
import LabNetwork
import Logging
import NIOPosix
import Registry

/// The names of the cluster, answered by labd where kubeadm has its DNS: the Service `kube-dns` of `kube-system`.
enum NameService {
    /// Makes the Service. One of the user's own that has its name or its address already stays as it is.
    static func publish(_ client: Client) async throws {
        let port = JSON(ServiceRange.nameserverPort)
        do {
            try await OwnService(
                namespace: "kube-system", name: "kube-dns", labels: ["k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS"],
                address: ServiceRange.nameserver,
                ports: [
                    ["name": "dns", "port": port, "protocol": "UDP", "targetPort": port],
                    ["name": "dns-tcp", "port": port, "protocol": "TCP", "targetPort": port],
                ]
            ).publish(client)
        } catch let status as APIStatus where status.code == 409 || status.code == 422 {}
    }

    /// Begins to answer pods' queries.
    /// - Parameters:
    ///   - pods: the addresses that pods of this lab have.
    ///   - nameservers: whom to ask about names outside; empty where the lab has no way out.
    static func start(catalogue: Catalogue, domain: String, pods: IPv4Range, nameservers: [String], logger: Logger) async throws -> DNSServer {
        let ranges = [ServiceRange.range, pods]
        guard let names = ClusterNames(catalogue: catalogue, domain: domain, server: ServiceRange.nameserver, ranges: ranges) else {
            throw DaemonError.arguments(problem: "'\(domain)' is no domain name for a cluster")
        }
        try ServiceRange.own(ServiceRange.nameserver)
        let group = MultiThreadedEventLoopGroup.singleton
        return try await DNSServer.start(
            address: ServiceRange.nameserver.description, port: ServiceRange.nameserverPort,
            responder: DNSResponder(forwarder: DNSForwarder(servers: nameservers, group: group)) { names.lookup($0) }, group: group, logger: logger)
    }
}
