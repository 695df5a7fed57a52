import Catalogue
import Synchronization
import Testing

@testable import KubeModel
@testable import Registry

/// Answers as a conversion webhook that knows two versions: v1 has `spec.size`, v2 `spec.length` and `spec.unit`.
private final class Converter: WebhookTransport {
    let asked = Mutex<[String]>([])
    /// Replaces the answer.
    let answer = Mutex<(@Sendable (JSON) -> JSON)?>(nil)

    func post(_ body: [UInt8], to endpoint: WebhookEndpoint, timeoutSeconds: Int) async throws(WebhookProblem) -> [UInt8] {
        guard let review = try? JSONParser.parse(body) else { throw WebhookProblem("no JSON") }
        let request = review["request"]
        let version = request["desiredAPIVersion"].stringValue ?? ""
        asked.withLock { $0.append("\(version) \(request["objects"].elements.count)") }
        if let answer = answer.withLock({ $0 }) { return answer(review).encoded() }
        let objects = request["objects"].elements.map { object in
            var object = object
            object["apiVersion"] = .string(version)
            if version.hasSuffix("v2") {
                object["spec"] = ["length": object["spec"]["size"], "unit": "m"]
            } else {
                object["spec"] = ["size": object["spec"]["length"]]
            }
            object["metadata"]["annotations"]["via"] = .string(version)
            // Nobody lets a webhook do this.
            object["metadata"]["generation"] = 99
            return object
        }
        var response = review
        response.remove("request")
        response["response"] = ["uid": request["uid"], "result": ["status": "Success"], "convertedObjects": .array(objects)]
        return response.encoded()
    }
}

@Suite struct ConversionTests {
    private let webhook = Converter()

    private static func schema(_ fields: JSON) -> JSON {
        ["openAPIV3Schema": ["type": "object", "properties": ["spec": ["type": "object", "properties": fields]]]]
    }

    private static let definition: JSON = [
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": ["name": "ropes.example.com"],
        "spec": [
            "group": "example.com", "scope": "Namespaced", "names": ["plural": "ropes", "kind": "Rope"],
            "versions": [
                ["name": "v1", "served": true, "storage": true, "schema": schema(["size": ["type": "integer"]])],
                ["name": "v2", "served": true, "storage": false, "schema": schema(["length": ["type": "integer"], "unit": ["type": "string"]])],
            ],
            "conversion": [
                "strategy": "Webhook", "webhook": ["conversionReviewVersions": ["v1"], "clientConfig": ["url": "https://127.0.0.1:1/convert"]],
            ],
        ],
    ]

    private func lab() async throws -> Lab {
        let lab = try await Lab()
        lab.registry.callWebhooks(through: webhook)
        try await lab.create(Self.definition)
        return lab
    }

    private func rope(_ version: String, _ spec: JSON, name: String = "r") -> JSON {
        ["apiVersion": .string("example.com/\(version)"), "kind": "Rope", "metadata": ["name": .string(name)], "spec": spec]
    }

    private func stored(_ lab: Lab, _ name: String = "r") -> JSON {
        lab.client.get(GroupResource("ropes", group: "example.com"), namespace: Lab.namespace, name: name)?.value ?? .null
    }

    private var asked: [String] { webhook.asked.withLock { $0 } }

    @Test func theStoredVersionNeedsNobody() async throws {
        let lab = try await lab()
        let made = try await lab.create(rope("v1", ["size": 3]))
        #expect(made.value["spec"] == ["size": 3] && asked.isEmpty)
    }

    @Test func anotherVersionIsStoredAsTheStoredOne() async throws {
        let lab = try await lab()
        let made = try await lab.create(rope("v2", ["length": 5, "unit": "m"]))
        #expect(made.value["apiVersion"] == "example.com/v2" && made.value["spec"] == ["length": 5, "unit": "m"])
        #expect(stored(lab)["apiVersion"] == "example.com/v1" && stored(lab)["spec"] == ["size": 5])
        #expect(stored(lab)["metadata"]["generation"] == 1 && stored(lab)["metadata"]["annotations"]["via"] == "example.com/v1")
        #expect(asked == ["example.com/v1 1", "example.com/v2 1"])
    }

    @Test func aPatchIsOfTheVersionThatItNames() async throws {
        let lab = try await lab()
        try await lab.create(rope("v1", ["size": 3]))
        let kind = try #require(lab.registry.kind(group: "example.com", version: "v2", plural: "ropes"))
        let patched = try await lab.registry.patch(
            kind, namespace: Lab.namespace, name: "r", ["spec": ["length": 8]], type: .merge, subresource: nil, WriteOptions(manager: "kubectl")
        ).result.object
        #expect(patched.value["spec"] == ["length": 8, "unit": "m"])
        #expect(stored(lab)["spec"] == ["size": 8] && stored(lab)["metadata"]["generation"] == 2)
    }

    @Test func manyAreAskedForAtOnce() async throws {
        let lab = try await lab()
        for index in 0..<5 { try await lab.create(rope("v1", ["size": JSON(index)], name: "r\(index)")) }
        let kind = try #require(lab.registry.kind(group: "example.com", version: "v2", plural: "ropes"))
        let shown = try await lab.registry.shown(lab.client.list(kind.resource), as: kind)
        #expect(shown.map { $0.spec["length"] } == [0, 1, 2, 3, 4] && asked == ["example.com/v2 5"])
        #expect(shown.allSatisfy { $0.value["metadata"]["resourceVersion"].stringValue == String($0.revision) })
    }

    static let failures: [(change: @Sendable (JSON) -> JSON, words: String)] = [
        (
            { ["apiVersion": $0["apiVersion"], "kind": $0["kind"], "response": ["uid": $0["request"]["uid"], "result": ["status": "Failed", "message": "no way"]]] },
            "failed: no way"
        ),
        ({ ["apiVersion": $0["apiVersion"], "kind": $0["kind"]] }, "failed: no response provided"),
        (
            { ["apiVersion": $0["apiVersion"], "kind": $0["kind"], "response": ["uid": "x", "result": ["status": "Success"]]] },
            "failed: expected response.uid="
        ),
        (
            { ["apiVersion": $0["apiVersion"], "kind": $0["kind"], "response": ["uid": $0["request"]["uid"], "result": ["status": "Success"], "convertedObjects": []]] },
            "returned 0 objects, expected 1"
        ),
        (
            { review in
                let response: JSON = ["uid": review["request"]["uid"], "result": ["status": "Success"], "convertedObjects": review["request"]["objects"]]
                return ["apiVersion": review["apiVersion"], "kind": review["kind"], "response": response]
            },
            "returned invalid converted object at index 0: invalid groupVersion (expected example.com/v2, received example.com/v1)"
        ),
    ]

    @Test func whatIsWrongIsSaidInUpstreamsWords() async throws {
        let lab = try await lab()
        try await lab.create(rope("v1", ["size": 3]))
        let kind = try #require(lab.registry.kind(group: "example.com", version: "v2", plural: "ropes"))
        for (change, words) in Self.failures {
            webhook.answer.withLock { $0 = change }
            let problem = try await refusal { try await lab.registry.shown(lab.client.list(kind.resource), as: kind) }
            #expect(problem?.code == 500 && problem?.message.hasPrefix("conversion webhook for example.com/v1, Kind=Rope \(words)") == true, "\(problem?.message ?? "")")
        }
    }

    @Test func aWebhookThatDoesNotAnswerKeepsTheWriteOut() async throws {
        let lab = try await lab()
        webhook.answer.withLock { $0 = { _ in [:] } }
        let problem = try await refusal { try await lab.create(rope("v2", ["length": 1])) }
        #expect(problem?.code == 500 && stored(lab).isNull)
    }

    @Test func aDefinitionSaysWhereItsWebhookIs() async throws {
        let lab = try await Lab()
        var bad = Self.definition
        bad["spec"]["conversion"]["webhook"] = ["conversionReviewVersions": ["v7"], "clientConfig": [:]]
        let found = try await refusal { try await lab.create(bad) }?.causes.map { "\($0.field): \($0.message)" } ?? []
        #expect(found.contains("spec.conversion.webhook.clientConfig: Required value: exactly one of url or service is required"), "\(found)")
        #expect(found.contains { $0.hasPrefix("spec.conversion.webhook.conversionReviewVersions: Invalid value") }, "\(found)")
    }
}
