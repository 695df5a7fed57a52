import GRPC
import Glibc
import Katib
import KubeModel
import Logging

/// Calls suggestion services: the daemon's own network namespace leads to every pod.
struct SuggestionConnector: SuggestionTransport {
    func call(address: String, port: Int, method: String, _ message: [UInt8], timeout: Duration) async throws(GRPCStatus) -> [UInt8] {
        try await GRPCClient.call(host: address, port: port, method: method, message: message, timeout: timeout)
    }
}

/// Katib's database manager where it is looked for: at `katib-db-manager.kubeflow` for pods, and at a socket file for the lab's owner.
struct DBManagerServer {
    static let socketName = "katib-db-manager.sock"
    private let servers: [GRPCServer]

    /// - Parameters:
    ///   - address: of the lab's network that pods reach.
    ///   - socketPath: in a directory that only its owner may enter.
    init(_ manager: DBManager, address: String, socketPath: String, logger: Logger) async throws {
        let answer: GRPCServer.Answer = { method, message, peer throws(GRPCStatus) in
            switch peer {
            case .local: try await manager.answer(method: method, message, from: .owner)
            case .address(let address): try await manager.answer(method: method, message, from: .pod(address: address))
            }
        }
        var servers = [try await GRPCServer.start(host: address, port: DBManager.port, answer: answer)]
        do {
            servers.append(try await GRPCServer.start(socketPath: socketPath, answer: answer))
            chmod(socketPath, 0o600)
        } catch {
            // A path may be too long for a socket; pods reach the database manager all the same.
            logger.warning("no socket for Katib's database manager", metadata: ["path": "\(socketPath)", "error": "\(error)"])
        }
        self.servers = servers
    }

    func stop() async { for server in servers { await server.stop() } }
}
