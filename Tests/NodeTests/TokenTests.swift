import Catalogue
import KubeModel
import LabNetwork
import Registry
import Synchronization
import Testing

@testable import Access
@testable import Node

@Suite struct TokenManagerTests {
    /// A clock that a test sets.
    private final class Clock: Sendable {
        private let seconds = Mutex<Int64>(1_700_000_000)
        var source: TimeSource { TimeSource { [self] in Timestamp(seconds: seconds.withLock { $0 }) } }
        func advance(_ amount: Int64) { seconds.withLock { $0 += amount } }
    }

    private func pod(_ lab: Lab) async throws -> StoredObject {
        try await lab.client.create(["apiVersion": "v1", "kind": "ServiceAccount", "metadata": ["name": "default", "namespace": "default"]])
        return try await lab.client.create([
            "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "p", "namespace": "default"],
            "spec": ["containers": [["name": "c", "image": "busybox"]]],
        ])
    }

    @Test func aTokenIsKeptForFourFifthsOfItsTime() async throws {
        let lab = try await Lab()
        let pod = try await pod(lab)
        let clock = Clock()
        let issuer = TokenIssuer(key: TokenKey(), catalogue: lab.catalogue, clock: clock.source)
        let manager = TokenManager(issuer: issuer, catalogue: lab.catalogue, clock: clock.source)
        let source: JSON = ["path": "token", "expirationSeconds": 1000]
        #expect(manager.timeLeft(for: pod) == nil)
        let first = try manager.token(source, for: pod)
        #expect(manager.timeLeft(for: pod) == .seconds(800))
        clock.advance(799)
        #expect(try manager.token(source, for: pod) == first)
        clock.advance(1)
        #expect(manager.timeLeft(for: pod) == .seconds(10), "nobody may wait for no time at all: that is a loop")
        let second = try manager.token(source, for: pod)
        #expect(second != first)
        #expect(try issuer.authenticate(first, audiences: []).user == issuer.authenticate(second, audiences: []).user.with(credential: first, issuer))
        #expect(manager.timeLeft(for: pod) == .seconds(800))
    }

    /// Lifetimes that the API would refuse come from manifests of earlier labs.
    @Test(arguments: [Int.min, -1, 0, Int.max]) func oddLifetimesAreBrought(intoBounds seconds: Int) async throws {
        let lab = try await Lab()
        let pod = try await pod(lab)
        let clock = Clock()
        let issuer = TokenIssuer(key: TokenKey(), catalogue: lab.catalogue, clock: clock.source)
        let manager = TokenManager(issuer: issuer, catalogue: lab.catalogue, clock: clock.source)
        let token = try manager.token(["path": "token", "expirationSeconds": JSON(seconds)], for: pod)
        clock.advance(599)
        #expect(try issuer.authenticate(token, audiences: []).user.name == "system:serviceaccount:default:default")
        let left = try #require(manager.timeLeft(for: pod))
        #expect(left == (seconds > 600 ? .seconds(86_400 - 599) : .seconds(10)))
    }

    @Test func audiencesAndAccountsAreTheManifests() async throws {
        let lab = try await Lab()
        let pod = try await pod(lab)
        let issuer = TokenIssuer(key: TokenKey(), catalogue: lab.catalogue, clock: .system)
        let manager = TokenManager(issuer: issuer, catalogue: lab.catalogue)
        let token = try manager.token(["path": "t", "audience": "vault", "expirationSeconds": 600], for: pod)
        #expect(try issuer.authenticate(token, audiences: ["vault"]).user.name == "system:serviceaccount:default:default")
        #expect(throws: TokenIssuer.Refusal.self) { try issuer.authenticate(token, audiences: []) }
        try await lab.client.delete(ObjectKey(.serviceAccounts, namespace: "default", name: "default"))
        #expect(throws: MissingConfiguration(description: "failed to fetch token: serviceaccounts \"default\" not found")) {
            try manager.token(["path": "t", "expirationSeconds": 700], for: pod)
        }
    }

    @Test func servicesAreFoundInTheEnvironment() {
        func service(_ name: String, _ spec: JSON) -> StoredObject {
            StoredObject(key: ObjectKey(.services, namespace: "default", name: name), revision: 1, value: ["spec": spec], intent: nil)
        }
        let api = service("kubernetes", ["clusterIP": "10.96.0.1", "ports": [["name": "https", "port": 443, "protocol": "TCP"]]])
        let headless = service("none", ["clusterIP": "None", "ports": [["port": 1]]])
        let variables = Dictionary(uniqueKeysWithValues: ServiceEnvironment.variables(of: [api, headless]).map { ($0.name, $0.value) })
        #expect(
            variables == [
                "KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443", "KUBERNETES_SERVICE_PORT_HTTPS": "443",
                "KUBERNETES_PORT": "tcp://10.96.0.1:443", "KUBERNETES_PORT_443_TCP": "tcp://10.96.0.1:443", "KUBERNETES_PORT_443_TCP_PROTO": "tcp",
                "KUBERNETES_PORT_443_TCP_PORT": "443", "KUBERNETES_PORT_443_TCP_ADDR": "10.96.0.1",
            ])
        #expect(ServiceEnvironment.variables(of: [service("my-db", ["clusterIP": "10.96.1.1", "ports": [["port": 5432]]])]).first?.name == "MY_DB_SERVICE_HOST")
    }
}

extension User {
    /// The same user as another token of theirs names them.
    fileprivate func with(credential token: String, _ issuer: TokenIssuer) throws -> User {
        var user = self
        user.extra["authentication.kubernetes.io/credential-id"] = try issuer.authenticate(token, audiences: []).user.extra["authentication.kubernetes.io/credential-id"]
        return user
    }
}
