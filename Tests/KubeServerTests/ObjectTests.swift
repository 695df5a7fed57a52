import NIOCore
import NIOHTTP1
import Testing

@testable import Catalogue
@testable import KubeModel
@testable import KubeServer
@testable import Registry

/// How deep a test goes.
enum Depth: String, CaseIterable, Sendable {
    case router
    case socket

    func client(_ lab: Lab) async throws -> any Client {
        switch self {
        case .router: lab.router
        case .socket: try await LiveServer(lab)
        }
    }
}

@Suite struct ObjectTests {
    static let path = "/api/v1/namespaces/team/configmaps"

    /// Tests of the Python client compare whole error bodies.
    @Test(arguments: ["", "a", "absent"], ["application/json", "application/json;as=Table;v=v1;g=meta.k8s.io", "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"])
    func bodiesEndWithOneNewline(name: String, accept: String) async throws {
        let lab = try await Lab()
        try await lab.configMap("a")
        let body = try await lab.router.get(name.isEmpty ? Self.path : "\(Self.path)/\(name)", ["Accept": accept]).text
        #expect(body.hasSuffix("}\n") && !body.hasSuffix("\n\n"))
    }

    @Test func strategicPatchesOfTheWrongTypeAreToldInTheConvertersWords() async throws {
        let lab = try await Lab()
        try await lab.configMap("a")
        let answer = try await lab.router.send(
            .PATCH, "\(Self.path)/a", ["metadata": ["labels": "invalid"]], type: "application/strategic-merge-patch+json")
        #expect(answer.status == 422)
        #expect(answer.json["message"] == #" "" is invalid: patch: Invalid value: "map[metadata:map[labels:invalid]]": cannot restore map from string"#)
    }

    @Test(arguments: Depth.allCases)
    func createsReadsPatchesAndDeletes(_ depth: Depth) async throws {
        let client = try await depth.client(Lab())
        let made = try await client.send(
            .POST, Self.path, ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "a"], "data": ["x": "1"]])
        #expect(made.status == 201)
        #expect(made.json["metadata"]["namespace"] == "team")
        let read = try await client.get("\(Self.path)/a")
        #expect(read.status == 200)
        #expect(read.json == made.json)
        #expect(read.headers.first(name: "content-type") == "application/json")
        let patched = try await client.send(.PATCH, "\(Self.path)/a", ["data": ["y": "2"]], type: "application/merge-patch+json")
        #expect(patched.json["data"] == ["x": "1", "y": "2"])
        let replaced = try await client.send(.PUT, "\(Self.path)/a", made.json)
        #expect(replaced.status == 409)
        #expect(replaced.json["reason"] == "Conflict")
        let gone = try await client.send(.DELETE, "\(Self.path)/a", HTTPHeaders(), [])
        #expect(gone.status == 200)
        #expect(gone.json["details"]["uid"] == made.json["metadata"]["uid"])
        #expect(try await client.get("\(Self.path)/a").status == 404)
    }

    @Test(arguments: Depth.allCases)
    func refusesWhatItCannotServe(_ depth: Depth) async throws {
        let client = try await depth.client(Lab())
        #expect(try await client.get("/api/v1/namespaces/team/nothings").status == 404)
        #expect(try await client.get("/api/v1/namespaces/team/configmaps/%2e%2e").status == 400)
        #expect(try await client.get("/api/v1/namespaces/team/configmaps/a%2fb").status == 400)
        #expect(try await client.get("/api/v1/namespaces/team/namespaces").status == 404)
        #expect(try await client.send(.POST, "/api/v1/configmaps", [:]).status == 405)
        #expect(try await client.get(Self.path, ["Accept": "text/html"]).status == 406)
        #expect(try await client.send(.POST, Self.path, [:], type: "text/csv").status == 415)
        #expect(try await client.send(.PATCH, "\(Self.path)/a", [:], type: "application/json").status == 415)
        let broken = try await client.send(.POST, Self.path, ["Content-Type": "application/json"], Array("{".utf8))
        #expect(broken.status == 400)
        #expect(broken.json["kind"] == "Status")
    }

    @Test func acceptsProtobufAnswersJSON() async throws {
        let client = try await Lab().router
        let accept = "application/vnd.kubernetes.protobuf,application/json"
        #expect(try await client.get(Self.path, ["Accept": accept]).headers.first(name: "content-type") == "application/json")
    }

    @Test func readsYAMLBodiesAndWritesYAML() async throws {
        let client = try await Lab().router
        let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yam}\ndata: {a: 'no'}\n"
        #expect(try await client.send(.POST, Self.path, ["Content-Type": "application/yaml"], Array(yaml.utf8)).status == 201)
        let text = try await client.get("\(Self.path)/yam", ["Accept": "application/yaml"]).text
        #expect(text.contains("kind: ConfigMap"))
    }

    @Test func warnsOfUnknownFieldsOrRefusesThem() async throws {
        let client = try await Lab().router
        let object: JSON = ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "w"], "dota": [:]]
        let warned = try await client.send(.POST, Self.path, object)
        #expect(warned.status == 201)
        #expect(warned.headers.first(name: "warning") == "299 - \"unknown field \\\"dota\\\"\"")
        let refused = try await client.send(.POST, "\(Self.path)?fieldValidation=Strict", object)
        #expect(refused.status == 400)
        #expect(refused.json["message"].stringValue?.contains("unknown field \"dota\"") == true)
    }

    @Test func dryRunKeepsNothing() async throws {
        let client = try await Lab().router
        let object: JSON = ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "d"]]
        #expect(try await client.send(.POST, "\(Self.path)?dryRun=All", object).status == 201)
        #expect(try await client.get("\(Self.path)/d").status == 404)
        #expect(try await client.send(.POST, "\(Self.path)?dryRun=Some", object).status == 422)
    }

    @Test func optionsThatCannotBeAreRefusedByTheirKind() async throws {
        let lab = try await Lab()
        let object = try await lab.configMap("a", ["x": "1"])
        let path = "/api/v1/namespaces/team/configmaps"
        func refusal(_ method: HTTPMethod, _ uri: String, _ body: JSON, _ type: String = "application/json") async throws -> String {
            let answer = try await lab.router.send(method, uri, body, type: type)
            return "\(answer.status) \(answer.json["message"].stringValue ?? "")"
        }
        let map: JSON = ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "a"]]
        for (method, uri, kind) in [(HTTPMethod.POST, path, "Create"), (.PUT, "\(path)/a", "Update"), (.PATCH, "\(path)/a", "Patch"), (.DELETE, "\(path)/a", "Delete")] {
            let told = try await refusal(method, "\(uri)?dryRun=some", method == .DELETE ? [:] : map, method == .PATCH ? "application/merge-patch+json" : "application/json")
            #expect(told.hasPrefix("422 \(kind)Options.meta.k8s.io \"\" is invalid: dryRun: Unsupported value"), "\(told)")
        }
        // Nothing is moved.
        let elsewhere: JSON = ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "a", "namespace": "other"]]
        let problem = "400 the namespace of the provided object does not match the namespace sent on the request"
        #expect(try await refusal(.PUT, "\(path)/a", elsewhere) == problem)
        #expect(try await refusal(.POST, path, elsewhere) == problem)
        #expect(try await refusal(.PATCH, "\(path)/a", ["metadata": ["namespace": "other"]], "application/merge-patch+json") == problem)
        #expect(
            try await refusal(.PATCH, "\(path)/a", ["metadata": ["name": "b"]], "application/merge-patch+json")
                == "400 the name of the object (b) does not match the name on the URL (a)")
        let apply = "application/apply-patch+yaml"
        #expect(try await refusal(.PATCH, "\(path)/a?fieldManager=m", elsewhere, apply) == problem)
        // Neither applied to another object nor made under another name.
        for name in ["b", "none"] {
            #expect(
                try await refusal(.PATCH, "\(path)/\(name)?fieldManager=m", map, apply)
                    == "400 the name of the object (a) does not match the name on the URL (\(name))")
        }
        #expect(
            try await refusal(.DELETE, "\(path)/a", ["preconditions": ["uid": "other"]])
                == "409 Operation cannot be fulfilled on ConfigMap \"a\": the UID in the precondition (other) does not match the UID in record (\(object.uid)). "
                + "The object might have been deleted and then recreated")
        #expect(try await refusal(.DELETE, "\(path)/a", ["preconditions": ["resourceVersion": "1"]]).contains("The object might have been modified"))
        #expect(try await refusal(.DELETE, "\(path)/a", ["propagationPolicy": "Orphan", "orphanDependents": true]).hasPrefix("422 DeleteOptions.meta.k8s.io"))
        #expect(lab.catalogue.get(object.key) != nil)
    }

    @Test func deletesACollectionBySelector() async throws {
        let lab = try await Lab()
        for index in 0..<20 { try await lab.configMap("c\(index)", labels: ["parity": index % 2 == 0 ? "even" : "odd"]) }
        let answer = try await lab.router.send(.DELETE, "\(Self.path)?labelSelector=parity%3Deven", HTTPHeaders(), [])
        #expect(answer.json["items"].elements.count == 10)
        #expect(lab.catalogue.count(.configMaps) == 10)
    }

    @Test func aJobLeavesItsPodsWhereNothingIsSaid() async throws {
        let lab = try await Lab()
        let path = "/apis/batch/v1/namespaces/team/jobs"
        func job(_ name: String) -> JSON {
            ["apiVersion": "batch/v1", "kind": "Job", "metadata": ["name": .string(name)],
             "spec": ["template": ["spec": ["restartPolicy": "Never", "containers": [["name": "c", "image": "busybox"]]]]]]
        }
        for name in ["a", "b", "c"] { #expect(try await lab.router.send(.POST, path, job(name)).status == 201) }
        let kept = try await lab.router.send(.DELETE, "\(path)/a", HTTPHeaders(), [])
        #expect(kept.status == 200 && kept.json["metadata"]["finalizers"] == ["orphan"])
        #expect(kept.headers["Warning"].first?.contains("child pods are preserved by default when jobs are deleted") == true)
        let again = try await lab.router.send(.DELETE, "\(path)/a?propagationPolicy=Foreground", HTTPHeaders(), [])
        #expect(again.json["metadata"]["finalizers"] == ["foregroundDeletion"])
        #expect(try await lab.router.send(.DELETE, "\(path)/a", HTTPHeaders(), []).json["metadata"]["finalizers"] == ["foregroundDeletion"])
        let gone = try await lab.router.send(.DELETE, "\(path)/b?propagationPolicy=Background", HTTPHeaders(), [])
        #expect(gone.json["status"] == "Success" && gone.headers["Warning"].isEmpty)
        let rest = try await lab.router.send(.DELETE, path, HTTPHeaders(), [])
        #expect(!rest.headers["Warning"].isEmpty && lab.catalogue.get(ObjectKey(.jobs, namespace: "team", name: "c"))?.isBeingDeleted == true)
    }

    @Test func scalesThroughTheSubresource() async throws {
        let lab = try await Lab()
        let path = "/apis/apps/v1/namespaces/team/statefulsets"
        let made = try await lab.router.send(
            .POST, path,
            [
                "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": ["name": "s"],
                "spec": [
                    "serviceName": "s", "replicas": 1, "selector": ["matchLabels": ["a": "b"]],
                    "template": ["metadata": ["labels": ["a": "b"]], "spec": ["containers": [["name": "c", "image": "busybox"]]]],
                ],
            ])
        #expect(made.status == 201)
        var scale = try await lab.router.get("\(path)/s/scale").json
        #expect(scale["kind"] == "Scale")
        #expect(scale["spec"]["replicas"] == 1)
        scale["spec"]["replicas"] = 3
        #expect(try await lab.router.send(.PUT, "\(path)/s/scale", scale).json["spec"]["replicas"] == 3)
        #expect(try await lab.router.send(.PUT, "\(path)/s/scale", scale).status == 409)
        let patch = try await lab.router.send(.PATCH, "\(path)/s/scale", ["spec": ["replicas": 0]], type: "application/merge-patch+json")
        #expect(patch.json["spec"]["replicas"] == 0)
    }
}

@Suite struct EventTests {
    @Test func isOneObjectInTwoSpellings() async throws {
        let client = try await Lab().router
        let path = "/apis/events.k8s.io/v1/namespaces/team/events"
        let made = try await client.send(
            .POST, path,
            [
                "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": ["name": "e"], "note": "hello", "reason": "Test", "type": "Normal",
                "action": "Testing", "eventTime": "2023-11-14T22:13:20.000000Z", "reportingController": "test.dev/controller",
                "reportingInstance": "i", "regarding": ["kind": "Pod", "name": "p", "namespace": "team"],
            ])
        #expect(made.status == 201, "\(made.text)")
        #expect(made.json["note"] == "hello")
        let core = try await client.get("/api/v1/namespaces/team/events/e").json
        #expect(core["apiVersion"] == "v1")
        #expect(core["message"] == "hello")
        #expect(core["involvedObject"]["name"] == "p")
        #expect(core["reportingComponent"] == "test.dev/controller")
        let patched = try await client.send(.PATCH, "\(path)/e", ["note": "bye"], type: "application/merge-patch+json")
        #expect(patched.json["note"] == "bye")
        let steps: JSON = [["op": "replace", "path": "/note", "value": "again"], ["op": "add", "path": "/regarding/uid", "value": "u"]]
        let stepped = try await client.send(.PATCH, "\(path)/e", steps, type: "application/json-patch+json")
        #expect(stepped.status == 200 && stepped.json["note"] == "again" && stepped.json["regarding"]["uid"] == "u", "\(stepped.text)")
        #expect(try await client.get("/api/v1/namespaces/team/events/e").json["involvedObject"]["uid"] == "u")
        let strategic = try await client.send(.PATCH, "\(path)/e", ["note": "last"], type: "application/strategic-merge-patch+json")
        #expect(strategic.json["note"] == "last")
        #expect(try await client.get("\(path)?fieldSelector=regarding.name%3Dp").json["items"].elements.count == 1)
        #expect(try await client.get("/api/v1/events?fieldSelector=involvedObject.name%3Dq").json["items"].elements.isEmpty)
    }
}
