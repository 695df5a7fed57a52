import Catalogue
import KubeModel
import Registry
import Testing

@testable import Node

/// What tells others that the machine is alive.
@Suite(.timeLimit(.minutes(1))) struct LeaseTests {
    private let key = ObjectKey(.leases, namespace: NodeLease.namespace, name: "here")

    @Test func theNodeHoldsItsLease() async throws {
        let lab = try await Lab()
        try await lab.start()
        let lease = try #require(try await lab.wait(key, "a lease") { $0 != nil })
        let node = try #require(lab.client.get(ObjectKey(.nodes, name: "here")))
        #expect(lease.spec["holderIdentity"] == "here" && lease.spec["leaseDurationSeconds"] == 120)
        #expect(lease.metadata["ownerReferences"][0]["uid"].stringValue == node.uid)
        let time = try #require(lease.spec["renewTime"].stringValue)
        #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/) != nil, "expected a time with microseconds, found \(time)")
        #expect(node.status["conditions"].elements.allSatisfy { $0["lastHeartbeatTime"].stringValue != nil })
    }

    @Test func aRenewalChangesTheTimeAlone() async throws {
        let lab = try await Lab()
        let lease = NodeLease(client: lab.client, node: "here")
        let first = Timestamp(seconds: 1_700_000_000)
        try await lease.renew(now: first)
        let made = try #require(lab.client.get(key))
        try await lease.renew(now: first + NodeLease.renewal)
        let renewed = try #require(lab.client.get(key))
        #expect(renewed.uid == made.uid && renewed.spec["renewTime"] == "2023-11-14T22:13:50.000000Z")
        #expect(NodeLease.renewal * 4 == .seconds(NodeLease.duration))
    }

    @Test func aLeaseThatWasDeletedComesAgain() async throws {
        let lab = try await Lab()
        let lease = NodeLease(client: lab.client, node: "here")
        try await lease.renew(now: Timestamp(seconds: 1))
        try await lab.client.delete(key)
        try await lease.renew(now: Timestamp(seconds: 2))
        #expect(lab.client.get(key)?.spec["renewTime"] == "1970-01-01T00:00:02.000000Z")
    }
}
