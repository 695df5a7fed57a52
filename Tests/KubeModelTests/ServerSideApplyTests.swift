import KubeModel
import Testing

@Suite struct FieldSetTests {
    static let deployment: Schema = {
        let text = #"""
            {"type":"object","properties":{"apiVersion":{"type":"string"},"kind":{"type":"string"},
             "metadata":{"type":"object","properties":{"name":{"type":"string"},"labels":{"type":"object","additionalProperties":{"type":"string"}},
               "finalizers":{"type":"array","items":{"type":"string"},"x-kubernetes-list-type":"set"},"managedFields":{"type":"array","items":{"type":"object"}}}},
             "spec":{"type":"object","properties":{"replicas":{"type":"integer"},"paused":{"type":"boolean"},
               "selector":{"type":"object","x-kubernetes-map-type":"atomic","properties":{"matchLabels":{"type":"object","additionalProperties":{"type":"string"}}}},
               "args":{"type":"array","items":{"type":"string"}},
               "containers":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["name"],"items":{"type":"object","properties":{
                 "name":{"type":"string"},"image":{"type":"string"},"cpu":{"type":"string"},
                 "ports":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["port","protocol"],
                   "items":{"type":"object","properties":{"port":{"type":"integer"},"protocol":{"type":"string","default":"TCP"},"note":{"type":"string"}}}}}}}}},
             "status":{"type":"object","properties":{"ready":{"type":"integer"}}}}}
            """#
        return Schema(json: (try? JSON(reading: text)) ?? [:])
    }()

    @Test func takesTheFieldsOfAnObject() throws {
        let object = try JSON(
            reading: #"{"metadata":{"name":"x","labels":{"app":"a"},"finalizers":["f"]},"spec":{"replicas":1,"selector":{"matchLabels":{"a":"b"}},"args":["x"],"containers":[{"name":"c","image":"i","ports":[{"port":80}]}]}}"#)
        let fields = FieldSet.of(object, schema: Self.deployment)
        let expected = try JSON(
            reading: #"{"f:metadata":{"f:finalizers":{"v:\"f\"":{}},"f:labels":{"f:app":{}},"f:name":{}},"f:spec":{"f:args":{},"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:image":{},"f:name":{},"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:port":{}}}}},"f:replicas":{},"f:selector":{}}}"#)
        #expect(fields.fieldsV1.text == expected.text)
        #expect(FieldSet(fieldsV1: fields.fieldsV1) == fields)
    }

    @Test func printsPathsAsConflictsDo() {
        var set = FieldSet()
        set.insert([.field("spec"), .field("containers"), .key(["name": "nginx"]), .field("image")])
        set.insert([.field("metadata"), .field("finalizers"), .value("a")])
        set.insert([.field("x"), .index(0)])
        #expect(set.paths.map { $0.map(\.description).joined() } == [#".metadata.finalizers[="a"]"#, #".spec.containers[name="nginx"].image"#, ".x[0]"])
    }

    private func randomSet(using generator: inout SeededGenerator) -> FieldSet {
        var set = FieldSet()
        for _ in 0..<Int.random(in: 0..<8, using: &generator) {
            set.insert((0..<Int.random(in: 1...3, using: &generator)).map { _ in
                Bool.random(using: &generator) ? .field(["a", "b", "c"].randomElement(using: &generator) ?? "a") : .key(["n": .int(.random(in: 0...1, using: &generator))])
            })
        }
        return set
    }

    @Test func setAlgebraAgreesWithSetsOfPaths() {
        var generator = SeededGenerator()
        for _ in 0..<500 {
            let (a, b) = (randomSet(using: &generator), randomSet(using: &generator))
            let (x, y) = (Set(a.paths), Set(b.paths))
            #expect(Set(a.union(b).paths) == x.union(y), "seed \(generator.seed)")
            #expect(Set(a.intersection(b).paths) == x.intersection(y), "seed \(generator.seed)")
            #expect(Set(a.difference(b).paths) == x.subtracting(y), "seed \(generator.seed)")
            #expect(a.difference(a).isEmpty && FieldSet(fieldsV1: a.fieldsV1) == a, "seed \(generator.seed)")
        }
    }
}

@Suite struct ServerSideApplyTests {
    private let time = Timestamp(seconds: 1_700_000_000)
    private var schema: Schema { FieldSetTests.deployment }

    private func apply(_ live: JSON?, _ applied: String, _ manager: String, force: Bool = false, at seconds: Int64 = 0) throws -> ServerSideApply.Outcome {
        try ServerSideApply.apply(
            live: live, applied: JSON(reading: applied), schema: schema, manager: manager, apiVersion: "apps/v1", force: force,
            time: time + .seconds(seconds), ignoring: FieldSet(paths: [["status"]]))
    }

    private func update(_ old: JSON?, _ new: JSON, _ manager: String) -> JSON {
        var new = new
        new["metadata"]["managedFields"] = ManagedFields.recordUpdate(
            old: old, new: new, schema: schema, manager: manager, apiVersion: "apps/v1", time: time)
        return new
    }

    private func spec(_ outcome: ServerSideApply.Outcome) -> JSON { outcome.object["spec"] }

    private func fields(_ managed: JSON, _ manager: String) -> String? {
        managed.elements.first { $0["manager"].stringValue == manager }?["fieldsV1"].text
    }

    @Test func createsAndOwnsWhatIsApplied() throws {
        let outcome = try apply(nil, #"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"x","labels":{"a":"1"}},"spec":{"replicas":1}}"#, "kubectl")
        #expect(outcome.conflicts.isEmpty && outcome.changesObject)
        let entry = outcome.managedFields[0]
        #expect(entry["operation"] == "Apply" && entry["manager"] == "kubectl" && entry["apiVersion"] == "apps/v1" && entry["time"] == "2023-11-14T22:13:20Z")
        #expect(entry["fieldsV1"].text == #"{"f:metadata":{"f:labels":{"f:a":{}}},"f:spec":{"f:replicas":{}}}"#)
        #expect(outcome.object["metadata"]["managedFields"] == outcome.managedFields)
    }

    @Test func aSecondManagerConflictsUnlessForcedOrAgreeing() throws {
        let live = update(nil, ["spec": ["replicas": 1, "paused": true]], "kubectl-client-side-apply")
        let refused = try apply(live, #"{"spec":{"replicas":2}}"#, "me")
        #expect(refused.conflicts.map(\.pathText) == [".spec.replicas"])
        let status = APIStatus.applyConflict(refused.conflicts)
        #expect(status.code == 409 && status.reason == "Conflict")
        #expect(status.message == #"Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using apps/v1: .spec.replicas"#)
        #expect(status.causes == [.init(reason: "FieldManagerConflict", message: #"conflict with "kubectl-client-side-apply" using apps/v1"#, field: ".spec.replicas")])
        #expect(refused.object == live)

        let both = APIStatus.applyConflict(try apply(live, #"{"spec":{"replicas":2,"paused":false}}"#, "me").conflicts)
        #expect(both.message == "Apply failed with 2 conflicts: conflicts with \"kubectl-client-side-apply\" using apps/v1:\n- .spec.paused\n- .spec.replicas")

        let forced = try apply(live, #"{"spec":{"replicas":2}}"#, "me", force: true)
        #expect(spec(forced) == ["replicas": 2, "paused": true])
        #expect(fields(forced.managedFields, "kubectl-client-side-apply") == #"{"f:spec":{".":{},"f:paused":{}}}"#)

        let agreed = try apply(live, #"{"spec":{"replicas":1}}"#, "me")
        #expect(agreed.conflicts.isEmpty && !agreed.changesObject)
        #expect(fields(agreed.managedFields, "me") == #"{"f:spec":{"f:replicas":{}}}"#)
        #expect(fields(agreed.managedFields, "kubectl-client-side-apply")?.contains("f:replicas") == true)
    }

    /// kubectl before 1.26 leaves it to the server to go over from `kubectl apply` to `--server-side`.
    @Test func kubectlTakesOverWhatItAppliedItself() throws {
        let key = ServerSideApply.lastAppliedAnnotation
        var made: JSON = ["apiVersion": "apps/v1", "metadata": ["name": "x"], "spec": ["replicas": 1, "paused": true]]
        made["metadata"]["annotations"] = [key: .string(made.text)]
        let live = update(nil, made, "kubectl-client-side-apply")
        func attempt(_ applied: String, _ manager: String, over live: JSON) throws -> ServerSideApply.Outcome {
            try ServerSideApply.applyAfterClientSide(
                live: live, applied: JSON(reading: applied), schema: schema, manager: manager, apiVersion: "apps/v1", force: false, time: time)
        }
        let wanted = #"{"apiVersion":"apps/v1","metadata":{"name":"x"},"spec":{"replicas":2}}"#
        #expect(try attempt(wanted, "me", over: live).conflicts.map(\.pathText) == [".spec.replicas"])
        let taken = try attempt(wanted, "kubectl", over: live)
        #expect(taken.conflicts.isEmpty && spec(taken)["replicas"] == 2)
        #expect(taken.object["metadata"]["annotations"][key].stringValue == wanted + "\n")

        // Somebody else changed it since: it is not kubectl's any more.
        var changed = live
        changed["spec"]["replicas"] = 5
        let scaled = update(live, changed, "somebody")
        #expect(try attempt(wanted, "kubectl", over: scaled).conflicts.map(\.pathText) == [".spec.replicas"])
        // Without the annotation nothing tells what kubectl applied, and none is made.
        var bare = changed
        bare["metadata"].remove("annotations")
        #expect(try attempt(wanted, "kubectl", over: update(nil, bare, "kubectl-client-side-apply")).conflicts.count == 1)
        #expect(try attempt(#"{"metadata":{"labels":{"a":"b"}}}"#, "kubectl", over: update(nil, bare, "x")).object["metadata"]["annotations"].isNull)
    }

    @Test func whatIsNoLongerAppliedGoes() throws {
        let first = try apply(nil, #"{"metadata":{"labels":{"a":"1","b":"2"},"finalizers":["f","g"]},"spec":{"replicas":1,"containers":[{"name":"c","image":"i"},{"name":"d","image":"i"}]}}"#, "me")
        let second = try apply(first.object, #"{"metadata":{"labels":{"a":"1"},"finalizers":["g"]},"spec":{"containers":[{"name":"d"}]}}"#, "me")
        #expect(second.object["metadata"]["labels"] == ["a": "1"])
        #expect(second.object["metadata"]["finalizers"] == ["g"])
        #expect(spec(second) == ["containers": [["name": "d"]]])
    }

    @Test func whatSomebodyElseOwnsStays() throws {
        let first = try apply(nil, #"{"metadata":{"labels":{"a":"1"}},"spec":{"replicas":1,"containers":[{"name":"c","image":"i"}]}}"#, "one")
        let shared = try apply(first.object, #"{"spec":{"replicas":1}}"#, "two")
        let third = try apply(shared.object, #"{"spec":{"containers":[{"name":"c","cpu":"1"}]}}"#, "three")
        var changed = third.object
        changed["spec"]["containers"] = [["name": "c", "image": "i", "cpu": "1"], ["name": "extra", "image": "e"]]
        let live = update(third.object, changed, "controller")
        let last = try apply(live, #"{"metadata":{"labels":{"a":"1"}}}"#, "one")
        #expect(spec(last)["replicas"] == 1)
        #expect(spec(last)["containers"] == [["name": "c", "cpu": "1"], ["name": "extra", "image": "e"]])
        #expect(fields(last.managedFields, "one") == #"{"f:metadata":{"f:labels":{"f:a":{}}}}"#)
        #expect(fields(last.managedFields, "two") == #"{"f:spec":{"f:replicas":{}}}"#)
    }

    @Test func listsKeepTheAppliedOrderAndTheOthersTheirPlace() throws {
        let live = update(nil, ["spec": ["containers": [["name": "a"], ["name": "b"], ["name": "c"]]]], "u")
        let outcome = try apply(live, #"{"spec":{"containers":[{"name":"c"},{"name":"new"},{"name":"a"}]}}"#, "me")
        #expect(spec(outcome)["containers"].elements.compactMap { $0["name"].stringValue } == ["b", "c", "new", "a"])
    }

    @Test func elementsAreKeyedByAllTheirKeysWithDefaults() throws {
        let live = update(nil, ["spec": ["containers": [["name": "a", "ports": [["port": 53, "protocol": "TCP"], ["port": 53, "protocol": "UDP"]]]]]], "u")
        let outcome = try apply(live, #"{"spec":{"containers":[{"name":"a","ports":[{"port":53,"note":"x"}]}]}}"#, "me")
        #expect(spec(outcome)["containers"][0]["ports"] == [["port": 53, "protocol": "TCP", "note": "x"], ["port": 53, "protocol": "UDP"]])
    }

    @Test func atomicValuesAreTakenWhole() throws {
        let live = update(nil, ["spec": ["args": ["a"], "selector": ["matchLabels": ["x": "1"]]]], "u")
        let outcome = try apply(live, #"{"spec":{"args":["b"],"selector":{"matchLabels":{"y":"2"}}}}"#, "me")
        #expect(outcome.conflicts.map(\.pathText) == [".spec.args", ".spec.selector"])
        #expect(try spec(apply(live, #"{"spec":{"args":["b"]}}"#, "me", force: true))["args"] == ["b"])
    }

    @Test func applyingTheSameAgainChangesNothing() throws {
        let text = #"{"metadata":{"labels":{"a":"1"}},"spec":{"replicas":1},"status":{"ready":1}}"#
        let first = try apply(nil, text, "me")
        let second = try apply(first.object, text, "me", at: 100)
        #expect(!second.changesObject)
        #expect(second.object == first.object)
        #expect(fields(second.managedFields, "me")?.contains("status") == false)
    }

    @Test func objectsFromBeforeAreNotTakenForTheAppliers() throws {
        let live: JSON = ["apiVersion": "apps/v1", "metadata": ["name": "x"], "spec": ["replicas": 1, "paused": true]]
        let outcome = try apply(live, #"{"spec":{"replicas":1}}"#, "me")
        #expect(fields(outcome.managedFields, "before-first-apply")?.contains("f:paused") == true)
        #expect(try apply(live, #"{"spec":{"replicas":5}}"#, "me").conflicts.count == 1)
    }

    @Test func refusesBadConfigurations() throws {
        #expect(#expect(throws: APIStatus.self) { try apply(nil, #"{"spec":{"containers":[{"name":"a"},{"name":"a"}]}}"#, "me") }?.message.contains(#".spec.containers: duplicate entries for key [name="a"]"#) == true)
        #expect(throws: APIStatus.self) { try apply(nil, #"{"metadata":{"managedFields":[{"manager":"x"}]}}"#, "me") }
    }

    @Test func updatesAreRecorded() throws {
        let first = update(nil, ["apiVersion": "apps/v1", "metadata": ["name": "x", "labels": ["a": "1"]], "spec": ["replicas": 1]], "one")
        #expect(fields(first["metadata"]["managedFields"], "one") == #"{"f:metadata":{"f:labels":{".":{},"f:a":{}}},"f:spec":{".":{},"f:replicas":{}}}"#)
        var changed = first
        changed["spec"]["replicas"] = 2
        changed["metadata"]["labels"] = ["b": "2"]
        let second = update(first, changed, "two")
        #expect(fields(second["metadata"]["managedFields"], "one") == #"{"f:metadata":{"f:labels":{}},"f:spec":{}}"#)
        #expect(fields(second["metadata"]["managedFields"], "two") == #"{"f:metadata":{"f:labels":{"f:b":{}}},"f:spec":{"f:replicas":{}}}"#)
        #expect(update(second, second, "three") == second)
    }

    @Test func manyUpdatersAreFolded() {
        var object: JSON = ["spec": ["replicas": 0]]
        var live: JSON?
        for number in 0..<30 {
            object["metadata"]["labels"]["l\(number)"] = "x"
            let next = ManagedFields.recordUpdate(
                old: live, new: object, schema: schema, manager: "m\(number)", apiVersion: "apps/v1", time: time + .seconds(number))
            var stored = object
            stored["metadata"]["managedFields"] = next
            live = stored
        }
        let entries = live?["metadata"]["managedFields"].elements ?? []
        #expect(entries.count == 10)
        #expect(entries.contains { $0["manager"] == "ancient-changes" })
        let all = ManagedFields(json: .array(entries)).entries.reduce(FieldSet()) { $0.union($1.fields) }
        #expect((0..<30).allSatisfy { all.contains([.field("metadata"), .field("labels"), .field("l\($0)")]) })
    }

    @Test func aManagerThatAloneAppliesAlwaysGetsItsConfiguration() throws {
        var generator = SeededGenerator()
        for _ in 0..<200 {
            var live: JSON?
            for _ in 0..<4 {
                let names = ["a", "b", "c", "d"].shuffled(using: &generator).prefix(Int.random(in: 0...4, using: &generator))
                let containers = names.map { name -> JSON in ["name": .string(name), "image": .int(.random(in: 0...2, using: &generator))] }
                var configuration: JSON = ["metadata": ["labels": ["x": .int(.random(in: 0...2, using: &generator))]]]
                if !containers.isEmpty { configuration["spec"]["containers"] = .array(containers) }
                let outcome = try apply(live, configuration.text, "me")
                #expect(outcome.conflicts.isEmpty)
                live = outcome.object
                var bare = outcome.object
                bare["metadata"].remove("managedFields")
                #expect(bare == configuration, "seed \(generator.seed)")
            }
        }
    }
}
