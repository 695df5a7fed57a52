import Logging
import Testing

@testable import Catalogue
@testable import ControllerRuntime
@testable import KubeModel
@testable import Registry
@testable import Workloads

struct GarbageCollectorTests {
    private func collect(_ lab: Lab) async throws { try await lab.settle(GarbageCollector(client: lab.client), .configMaps, .secrets, .pods, .jobs) }

    @Test func deletesWhatLostItsOwner() async throws {
        let lab = try await Lab.fresh()
        let owner = try await lab.client.create(Samples.configMap("owner"))
        let child = try await lab.client.create(Samples.configMap("child", owners: [owner]))
        try await lab.client.create(Samples.configMap("grandchild", owners: [child]))
        try await lab.client.create(Samples.configMap("stranger"))
        try await collect(lab)
        #expect(lab.client.list(.configMaps).count == 4)
        try await lab.client.delete(owner.key)
        try await collect(lab)
        #expect(lab.client.list(.configMaps).map(\.name) == ["stranger"])
    }

    @Test func anOwnerMadeAgainIsAnother() async throws {
        let lab = try await Lab.fresh()
        let owner = try await lab.client.create(Samples.configMap("owner"))
        try await lab.client.create(Samples.configMap("child", owners: [owner]))
        try await lab.client.delete(owner.key)
        try await lab.client.create(Samples.configMap("owner"))
        try await collect(lab)
        #expect(lab.client.list(.configMaps).map(\.name) == ["owner"])
    }

    @Test func aSecondOwnerKeepsADependent() async throws {
        let lab = try await Lab.fresh()
        let one = try await lab.client.create(Samples.configMap("one"))
        let two = try await lab.client.create(Samples.configMap("two"))
        let child = try await lab.client.create(Samples.configMap("child", owners: [one, two]))
        try await lab.client.delete(one.key)
        try await collect(lab)
        let references = try #require(lab.client.get(child.key)?.metadata["ownerReferences"].elements)
        #expect(references.map { $0["uid"].stringValue } == [two.uid])
    }

    @Test func ownersOfUnknownKindsAreLeftAlone() async throws {
        let lab = try await Lab.fresh()
        var child = Samples.configMap("child")
        child["metadata"]["ownerReferences"] = [["apiVersion": "example.org/v1", "kind": "Thing", "name": "t", "uid": "u"]]
        try await lab.client.create(child)
        try await collect(lab)
        #expect(lab.client.list(.configMaps).count == 1)
    }

    @Test func foregroundDeletionWaitsForBlockingDependents() async throws {
        let lab = try await Lab.fresh()
        let owner = try await lab.client.create(Samples.configMap("owner"))
        var held = Samples.configMap("held", owners: [owner])
        held["metadata"]["finalizers"] = ["example.org/hold"]
        let child = try await lab.client.create(held)
        try await lab.client.delete(owner.key, propagation: .foreground)
        try await collect(lab)
        #expect(lab.client.get(owner.key)?.isBeingDeleted == true)
        #expect(lab.client.get(child.key)?.isBeingDeleted == true)
        try await lab.client.update(child.key) { $0["metadata"].remove("finalizers") }
        try await collect(lab)
        #expect(lab.client.list(.configMaps).isEmpty)
    }

    @Test func aCircleOfOwnersGoesInTheForeground() async throws {
        let lab = try await Lab.fresh()
        let one = try await lab.client.create(Samples.configMap("one"))
        let two = try await lab.client.create(Samples.configMap("two", owners: [one]))
        @Sendable func owner(_ object: StoredObject) -> JSON {
            [["apiVersion": "v1", "kind": "ConfigMap", "name": .string(object.name), "uid": .string(object.uid), "blockOwnerDeletion": true]]
        }
        try await lab.client.update(one.key) { $0["metadata"]["ownerReferences"] = owner(two) }
        try await lab.client.update(two.key) { $0["metadata"]["ownerReferences"] = owner(one) }
        try await lab.client.delete(one.key, propagation: .foreground)
        try await collect(lab)
        #expect(lab.client.list(.configMaps).isEmpty)
    }

    @Test func anOwnerInANamespaceSaysNothingOfWhatIsInNone() async throws {
        let lab = try await Lab.fresh()
        let owner = try await lab.client.create(Samples.configMap("owner"))
        func reference(_ uid: String) -> JSON { [["apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": .string(uid)]] }
        func priorityClass(_ name: String, _ uid: String) -> JSON {
            ["apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": ["name": .string(name), "ownerReferences": reference(uid)], "value": 1]
        }
        let known = try await lab.client.create(priorityClass("known", owner.uid))
        let unknown = try await lab.client.create(priorityClass("unknown", "nobody"))
        try await lab.settle(GarbageCollector(client: lab.client), known.key.resource)
        try await lab.client.delete(owner.key)
        try await lab.settle(GarbageCollector(client: lab.client), known.key.resource)
        #expect(lab.client.get(known.key) != nil && lab.client.get(unknown.key) != nil)
    }

    @Test(.timeLimit(.minutes(1))) func anOwnerElsewhereIsNoneAndIsTold() async throws {
        let lab = try await Lab.fresh()
        try await lab.client.create(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "elsewhere"]])
        let owner = try await lab.client.create(Samples.configMap("owner"))
        var stray = Samples.configMap("stray", owners: [owner])
        stray["metadata"]["namespace"] = "elsewhere"
        try await lab.client.create(stray)
        let events = try lab.catalogue.watch(.events, since: lab.catalogue.revision)
        try await collect(lab)
        #expect(lab.client.list(.configMaps).map(\.name) == ["owner"])
        for await change in events where change.object.value["reason"] == "OwnerRefInvalidNamespace" {
            let what = "[v1/ConfigMap, namespace: elsewhere, name: owner, uid: \(owner.uid)]"
            #expect(change.object.value["message"].stringValue == "ownerRef \(what) does not exist in namespace \"elsewhere\"")
            break
        }
    }

    @Test func orphaningLetsDependentsGo() async throws {
        let lab = try await Lab.fresh()
        let owner = try await lab.client.create(Samples.configMap("owner"))
        let child = try await lab.client.create(Samples.configMap("child", owners: [owner]))
        try await lab.client.delete(owner.key, propagation: .orphan)
        try await collect(lab)
        #expect(lab.client.get(owner.key) == nil)
        #expect(lab.client.get(child.key)?.metadata["ownerReferences"].isNull == true)
    }

    @Test(.timeLimit(.minutes(1))) func followsKindsThatAreDefinedLater() async throws {
        let lab = try await Lab.fresh()
        let manager = ControllerManager(catalogue: lab.catalogue, logger: Logger(label: "test"))
        let collector = GarbageCollector(client: lab.client)
        let custom = CustomKindCollector(client: lab.client, manager: manager, beside: collector)
        let running = Task { await withDiscardingTaskGroup { group in
            group.addTask { await manager.run([collector]) }
            group.addTask { await custom.run() }
        } }
        try await lab.client.create([
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": ["name": "things.example.org"],
            "spec": [
                "group": "example.org", "scope": "Namespaced", "names": ["plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"],
                "versions": [
                    [
                        "name": "v1", "served": true, "storage": true,
                        "schema": ["openAPIV3Schema": ["type": "object", "x-kubernetes-preserve-unknown-fields": true]],
                    ]
                ],
            ],
        ])
        let thing = try await lab.client.create([
            "apiVersion": "example.org/v1", "kind": "Thing", "metadata": ["name": "t", "namespace": .string(Lab.namespace)],
        ])
        try await lab.client.create(Samples.configMap("child", owners: [thing]))
        let watch = try lab.catalogue.watch(.configMaps, since: lab.catalogue.revision)
        try await lab.client.delete(thing.key)
        for await change in watch where change.kind == .deleted { break }
        #expect(lab.client.list(.configMaps).isEmpty)
        running.cancel()
    }
}

struct NamespaceTests {
    @Test func emptiesANamespaceAndLetsItGo() async throws {
        let lab = try await Lab.fresh()
        try await lab.client.create(Samples.configMap("one"))
        try await lab.client.create(Samples.job("job"))
        var held = Samples.configMap("held")
        held["metadata"]["finalizers"] = ["example.org/hold"]
        let holder = try await lab.client.create(held)
        let key = ObjectKey(.namespaces, name: Lab.namespace)
        try await lab.client.delete(key)
        let reconciler = NamespaceReconciler(client: lab.client, clock: lab.clock.source)
        #expect(try await reconciler.reconcile(key) == .requeue(after: NamespaceReconciler.retry))
        let status = try #require(lab.client.get(key)?.status)
        #expect(status["phase"].stringValue == "Terminating")
        let conditions = status["conditions"].elements
        #expect(conditions.map { $0["status"] } == ["False", "False", "False", "True", "True"])
        #expect(conditions[3]["message"] == "Some resources are remaining: configmaps. has 1 resource instances")
        #expect(conditions[4]["message"] == "Some content in the namespace has finalizers remaining: example.org/hold in 1 resource instances")
        #expect(lab.client.list(.jobs).isEmpty)
        await #expect(throws: APIStatus.self) { try await lab.client.create(Samples.configMap("late")) }
        try await lab.client.update(holder.key) { $0["metadata"].remove("finalizers") }
        #expect(try await reconciler.reconcile(key) == .done)
        #expect(lab.client.get(key) == nil)
    }

    @Test func anotherFinalizerOfItsSpecHoldsAnEmptyNamespace() async throws {
        let lab = try await Lab.fresh()
        let made = try await lab.client.create(
            ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "held"], "spec": ["finalizers": ["example.org/hold"]]])
        #expect(made.spec["finalizers"] == ["example.org/hold", "kubernetes"])
        try await lab.client.delete(made.key)
        try await lab.settle(NamespaceReconciler(client: lab.client, clock: lab.clock.source), .namespaces)
        let left = try #require(lab.client.get(made.key))
        #expect(left.spec["finalizers"] == ["example.org/hold"] && left.status["conditions"].elements.allSatisfy { $0["status"] == "False" })
        let kind = try #require(lab.registry.kind(.namespaces))
        var freed = left.value
        freed["spec"]["finalizers"] = []
        let options = WriteOptions(manager: "user")
        _ = try await lab.registry.update(kind, namespace: "", name: "held", freed, subresource: nil, options)
        #expect(lab.client.get(made.key)?.spec["finalizers"] == ["example.org/hold"], "only the subresource takes it off")
        freed = try #require(lab.client.get(made.key)).value
        freed["spec"]["finalizers"] = []
        _ = try await lab.registry.update(kind, namespace: "", name: "held", freed, subresource: "finalize", options)
        #expect(lab.client.get(made.key) == nil)
    }

    @Test func leavesLivingNamespacesAlone() async throws {
        let lab = try await Lab.fresh()
        try await lab.client.create(Samples.configMap("one"))
        try await lab.settle(NamespaceReconciler(client: lab.client), .namespaces)
        #expect(lab.client.list(.configMaps).count == 1)
    }

    @Test func givesEachNamespaceItsAccountAndCertificate() async throws {
        let lab = try await Lab.fresh()
        let reconciler = ServiceAccountReconciler(client: lab.client, certificate: "PEM")
        try await lab.settle(reconciler, .namespaces)
        #expect(lab.client.list(.serviceAccounts).map(\.name) == ["default"])
        let map = try #require(lab.client.get(.configMaps, namespace: Lab.namespace, name: "kube-root-ca.crt"))
        #expect(map.value["data"]["ca.crt"].stringValue == "PEM")
        try await lab.client.update(map.key) { $0["data"] = ["ca.crt": "forged"] }
        try await lab.settle(reconciler, .namespaces)
        #expect(lab.client.get(map.key)?.value["data"]["ca.crt"].stringValue == "PEM")
    }

    @Test func forgetsOldEventsAndTheOldestOfTooMany() async throws {
        let lab = try await Lab.fresh()
        let reaper = EventReaper(client: lab.client, clock: lab.clock.source, limit: 20)
        func record(_ numbers: Range<Int>) async throws {
            for number in numbers {
                let time = JSON.string("\(lab.clock.now)")
                try await lab.client.create([
                    "apiVersion": "v1", "kind": "Event", "metadata": ["name": .string("e\(100 + number)"), "namespace": .string(Lab.namespace)],
                    "involvedObject": ["kind": "Pod", "name": "p", "namespace": .string(Lab.namespace)], "reason": "R", "message": "m",
                    "lastTimestamp": time, "firstTimestamp": time, "type": "Normal",
                ])
                lab.clock.advance(.seconds(1))
            }
        }
        let all = ObjectKey(.events, name: "*")
        try await record(0..<10)
        #expect(try await reaper.reconcile(all) == .requeue(after: .seconds(3590)))
        lab.clock.advance(.seconds(3594))
        _ = try await reaper.reconcile(all)
        #expect(lab.client.list(.events).count == 5)
        try await record(10..<40)
        _ = try await reaper.reconcile(all)
        #expect(lab.client.list(.events).map(\.name) == (22..<40).map { "e\(100 + $0)" })
    }
}
