import Catalogue
import Testing

@testable import ControllerRuntime
@testable import KubeModel
@testable import Registry
@testable import Workloads

@Suite struct PodCollectorTests {
    private func pod(_ lab: Lab, _ name: String, on node: JSON) async throws -> ObjectKey {
        try await lab.client.create(Samples.pod(name, ["nodeName": node])).key
    }

    @Test func aPodThatIsToGoFromANodeThatIsNotThereGoesAtOnce() async throws {
        let lab = try await Lab.fresh()
        let collector = PodCollector(client: lab.client, clock: lab.clock.source)
        let key = try await pod(lab, "p", on: "elsewhere")
        try await lab.client.delete(key)
        #expect(lab.client.get(key)?.isBeingDeleted == true)
        #expect(try await collector.reconcile(key) == .done)
        #expect(lab.client.get(key) == nil)
    }

    @Test func anyOtherWaitsForTheNodeToComeBack() async throws {
        let lab = try await Lab.fresh()
        let collector = PodCollector(client: lab.client, clock: lab.clock.source)
        let key = try await pod(lab, "p", on: "away")
        #expect(try await collector.reconcile(key) == .requeue(after: .seconds(40)))
        lab.clock.advance(.seconds(30))
        #expect(try await collector.reconcile(key) == .requeue(after: .seconds(10)))
        // The node comes and goes: the time starts anew.
        let node = try await lab.client.create(Samples.node("away"))
        #expect(try await collector.reconcile(key) == .done)
        lab.clock.advance(.seconds(60))
        #expect(try await collector.reconcile(key) == .done && lab.client.get(key) != nil)
        try await lab.client.delete(node.key)
        #expect(try await collector.reconcile(key) == .requeue(after: .seconds(40)))
        lab.clock.advance(.seconds(40))
        #expect(try await collector.reconcile(key) == .done)
        #expect(lab.client.get(key) == nil)
    }

    @Test func aPodOfAKnownNodeOrOfNoneIsLeft() async throws {
        let lab = try await Lab.fresh()
        let collector = PodCollector(client: lab.client, clock: lab.clock.source)
        try await lab.client.create(Samples.node("here"))
        let key = try await pod(lab, "p", on: "here")
        try await lab.client.delete(key)
        #expect(try await collector.reconcile(key) == .done && lab.client.get(key)?.isBeingDeleted == true)
        let unbound = try await lab.client.create(Samples.pod("q"))
        #expect(try await collector.reconcile(unbound.key) == .done && lab.client.get(unbound.key) != nil)
    }
}
