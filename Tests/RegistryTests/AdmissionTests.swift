import KubeModel
import Synchronization
import Testing

@testable import Registry

/// A webhook in memory: answers each review by a function, and remembers what it was asked.
final class FakeWebhook: WebhookTransport {
    private let answer: @Sendable (_ url: String, _ request: JSON) throws(WebhookProblem) -> JSON
    private let asked = Mutex<[(url: String, request: JSON)]>([])

    init(_ answer: @escaping @Sendable (String, JSON) throws(WebhookProblem) -> JSON) { self.answer = answer }

    var calls: [(url: String, request: JSON)] { asked.withLock { $0 } }

    func post(_ body: [UInt8], to endpoint: WebhookEndpoint, timeoutSeconds: Int) async throws(WebhookProblem) -> [UInt8] {
        let review = (try? JSONParser.parse(body)) ?? .null
        asked.withLock { $0.append((endpoint.url, review["request"])) }
        var response = try answer(endpoint.url, review["request"])
        if response["uid"].isNull { response["uid"] = review["request"]["uid"] }
        return (["apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response] as JSON).encoded()
    }

    static func patch(_ operations: JSON) -> JSON {
        ["allowed": true, "patchType": "JSONPatch", "patch": .string(Base64.encode(operations.text))]
    }
}

enum Hooks {
    static func webhook(_ name: String, _ more: JSON = [:]) -> JSON {
        MergePatch.apply(
            more,
            to: [
                "name": .string("\(name).example.com"), "clientConfig": ["url": .string("https://127.0.0.1:9/\(name)")], "sideEffects": "None",
                "admissionReviewVersions": ["v1"], "rules": [["apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["*"]]],
            ])
    }

    static func configuration(_ kind: String, _ name: String, _ webhooks: JSON...) -> JSON {
        [
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": .string("\(kind)WebhookConfiguration"), "metadata": ["name": .string(name)],
            "webhooks": .array(webhooks),
        ]
    }

    static func map(_ name: String, _ data: JSON = ["a": "1"], labels: JSON = [:]) -> JSON {
        ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": .string(name), "labels": labels], "data": data]
    }
}

@Suite struct AdmissionTests {
    private func lab(_ answer: @escaping @Sendable (String, JSON) throws(WebhookProblem) -> JSON) async throws -> (Lab, FakeWebhook) {
        let lab = try await Lab()
        let webhook = FakeWebhook(answer)
        lab.registry.callWebhooks(through: webhook)
        return (lab, webhook)
    }

    @Test func aMutatingWebhookChangesWhatIsStored() async throws {
        let (lab, webhook) = try await lab { _, _ in FakeWebhook.patch([["op": "add", "path": "/data/b", "value": "2"]]) }
        try await lab.create(Hooks.configuration("Mutating", "m", Hooks.webhook("add")))
        let made = try await lab.create(Hooks.map("one"))
        #expect(made.value["data"] == ["a": "1", "b": "2"])
        let request = try #require(webhook.calls.first?.request)
        #expect(request["operation"] == "CREATE" && request["name"] == "one" && request["namespace"] == "team")
        #expect(request["resource"] == ["group": "", "version": "v1", "resource": "configmaps"] && request["kind"]["kind"] == "ConfigMap")
        #expect(!request["object"]["metadata"].has("uid") && request["oldObject"].isNull && request["dryRun"] == false)
        // What a webhook adds belongs to no manager, and is not what the user asked for.
        let owned = made.metadata["managedFields"].elements.map { $0["fieldsV1"]["f:data"] }
        #expect(owned.contains { $0.has("f:a") } && !owned.contains { $0.has("f:b") })
        #expect(made.intent?["data"] == ["a": "1"])
        try await lab.patch(.configMaps, "one", ["data": ["c": "3"]], .merge)
        let update = try #require(webhook.calls.last?.request)
        #expect(update["operation"] == "UPDATE" && update["oldObject"]["data"] == ["a": "1", "b": "2"] && update["object"]["data"]["c"] == "3")
    }

    @Test func aPodThatAWebhookWidensHasAllDefaults() async throws {
        let (lab, _) = try await lab { _, _ in
            FakeWebhook.patch([["op": "add", "path": "/spec/containers/-", "value": ["name": "sidecar", "image": "busybox"]]])
        }
        let rule: JSON = [["apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]]]
        try await lab.create(Hooks.configuration("Mutating", "m", Hooks.webhook("inject", ["rules": rule])))
        let pod = try await lab.create(Samples.pod("p"))
        #expect(pod.spec["containers"][1]["terminationMessagePath"] == "/dev/termination-log" && pod.spec["containers"][1]["name"] == "sidecar")
        // Pods that controllers make are webhooks' business too.
        let other = try await lab.client.create(MergePatch.apply(["metadata": ["namespace": "team"]], to: Samples.pod("q")))
        #expect(other.spec["containers"].elements.count == 2)
    }

    @Test func aDenialIsWordedAsUpstream() async throws {
        let (lab, _) = try await lab { _, _ in ["allowed": false, "status": ["code": 403, "reason": "Forbidden", "message": "not on Fridays"]] }
        try await lab.create(Hooks.configuration("Validating", "v", Hooks.webhook("no")))
        let status = try await refusal { try await lab.create(Hooks.map("one")) }
        #expect(status?.code == 403 && status?.reason == "Forbidden")
        #expect(status?.message == "admission webhook \"no.example.com\" denied the request: not on Fridays")
        #expect(lab.get(.configMaps, "one") == nil)
    }

    @Test func withoutExplanationADenialIsABadRequest() async throws {
        let (lab, _) = try await lab { _, _ in ["allowed": false] }
        try await lab.create(Hooks.configuration("Validating", "v", Hooks.webhook("no")))
        let status = try await refusal { try await lab.create(Hooks.map("one")) }
        #expect(status?.code == 400 && status?.message == "admission webhook \"no.example.com\" denied the request without explanation")
    }

    @Test func theFailurePolicyDecidesWhereNobodyAnswers() async throws {
        let (lab, webhook) = try await lab { _, _ throws(WebhookProblem) in throw WebhookProblem("Post \"https://127.0.0.1:9/x\": connection refused") }
        try await lab.create(Hooks.configuration("Validating", "v", Hooks.webhook("x", ["failurePolicy": "Ignore"])))
        try await lab.create(Hooks.map("one"))
        #expect(webhook.calls.count == 1)
        try await lab.create(Hooks.configuration("Mutating", "m", Hooks.webhook("x")))
        let status = try await refusal { try await lab.create(Hooks.map("two")) }
        #expect(status?.code == 500 && status?.reason == "InternalError")
        #expect(
            status?.message
                == "Internal error occurred: failed calling webhook \"x.example.com\": failed to call webhook: Post \"https://127.0.0.1:9/x\": connection refused")
        // The configuration itself is never in the webhook's hands, nor is the book-keeping of the lab's own parts.
        try await lab.client.create(MergePatch.apply(["metadata": ["namespace": "team"]], to: Hooks.map("three")))
        try await lab.delete(.mutatingWebhookConfigurations, "m")
        try await lab.create(Hooks.map("two"))
    }

    @Test func selectorsRulesAndConditionsDecideWhatIsAsked() async throws {
        let (lab, webhook) = try await lab { _, _ in ["allowed": true, "warnings": ["seen"]] }
        let conditions: JSON = [["name": "not-secret", "expression": "object.metadata.name != 'hidden' && request.userInfo.username != 'root'"]]
        try await lab.create(
            Hooks.configuration(
                "Validating", "v", Hooks.webhook("labelled", ["objectSelector": ["matchLabels": ["watch": "me"]], "matchConditions": conditions]),
                Hooks.webhook("elsewhere", ["namespaceSelector": ["matchLabels": ["kubernetes.io/metadata.name": "other"]]]),
                Hooks.webhook("cluster", ["rules": [["apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"], "operations": ["*"], "scope": "Cluster"]]])))
        try await lab.create(Hooks.map("plain"))
        try await lab.create(Hooks.map("hidden", labels: ["watch": "me"]))
        #expect(webhook.calls.isEmpty)
        try await lab.create(Hooks.map("seen", labels: ["watch": "me"]))
        #expect(webhook.calls.map(\.url) == ["https://127.0.0.1:9/labelled"])
        try await lab.create(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "fresh"]])
        #expect(webhook.calls.last?.url == "https://127.0.0.1:9/cluster" && webhook.calls.last?.request["namespace"] == "fresh")
    }

    @Test func aWebhookThatAsksForItIsCalledAgain() async throws {
        let (lab, webhook) = try await lab { url, request in
            let count = JSON.string(String((request["object"]["data"]["n"].stringValue ?? "").count))
            if url.hasSuffix("/first") { return FakeWebhook.patch([["op": "add", "path": "/data/first", "value": count]]) }
            return request["object"]["data"].has("n") ? ["allowed": true] : FakeWebhook.patch([["op": "add", "path": "/data/n", "value": "xyz"]])
        }
        try await lab.create(Hooks.configuration("Mutating", "a", Hooks.webhook("first", ["reinvocationPolicy": "IfNeeded"])))
        try await lab.create(Hooks.configuration("Mutating", "b", Hooks.webhook("second")))
        let made = try await lab.create(Hooks.map("one"))
        #expect(made.value["data"] == ["a": "1", "first": "3", "n": "xyz"])
        #expect(webhook.calls.map { $0.url.suffix(5) } == ["first", "econd", "first"])
    }

    @Test func aDryRunDoesNotCallWhatHasSideEffects() async throws {
        let (lab, webhook) = try await lab { _, _ in ["allowed": true] }
        try await lab.create(Hooks.configuration("Validating", "v", Hooks.webhook("quiet")))
        let kind = try #require(lab.registry.kind(.configMaps))
        let options = WriteOptions(manager: "kubectl", isDryRun: true)
        _ = try await lab.registry.create(kind, namespace: Lab.namespace, Hooks.map("one"), options)
        #expect(webhook.calls.first?.request["dryRun"] == true)
        // Such a webhook is only stored from an earlier version: today's are refused.
        let refused = try await refusal { try await lab.create(Hooks.configuration("Validating", "w", Hooks.webhook("loud", ["sideEffects": "Some"]))) }
        #expect(refused?.causes.first?.field == "webhooks[0].sideEffects")
    }

    @Test func deletionsAreAskedAboutForUsersAlone() async throws {
        let (lab, webhook) = try await lab { _, request in ["allowed": .bool(request["operation"] != "DELETE"), "status": ["message": "keep it"]] }
        try await lab.create(Hooks.configuration("Validating", "v", Hooks.webhook("keep")))
        try await lab.create(Hooks.map("one"))
        var options = DeleteOptions()
        options.user = AdmissionUser(name: "someone", groups: ["teachers"])
        let status = try await refusal { [options] in try await lab.delete(.configMaps, "one", options) }
        #expect(status?.message == "admission webhook \"keep.example.com\" denied the request: keep it")
        let request = try #require(webhook.calls.last?.request)
        #expect(request["object"].isNull && request["oldObject"]["data"] == ["a": "1"] && request["userInfo"]["username"] == "someone")
        try await lab.client.delete(.init(.configMaps, namespace: "team", name: "one"))
        #expect(lab.get(.configMaps, "one") == nil)
    }

    @Test(arguments: [
        (["uid": "wrong", "allowed": true] as JSON, "received invalid webhook response: expected response.uid="),
        (["allowed": true, "patch": "W10="] as JSON, "received invalid webhook response: webhook returned response.patch but not response.patchType"),
        (["allowed": true, "patch": "!", "patchType": "JSONPatch"] as JSON, "received undecodable patch in webhook response: illegal base64 data"),
    ])
    func anAnswerThatIsNoneIsAFailure(_ answer: JSON, _ words: String) async throws {
        let (lab, _) = try await lab { _, _ in answer }
        try await lab.create(Hooks.configuration("Mutating", "m", Hooks.webhook("odd")))
        let status = try await refusal { try await lab.create(Hooks.map("one")) }
        #expect(status?.code == 500 && status?.message.contains(words) == true, "\(status?.message ?? "")")
    }

    @Test func configurationsThatCannotWorkAreRefused() async throws {
        let lab = try await Lab()
        let broken = Hooks.webhook(
            "x",
            [
                "name": "short", "clientConfig": ["url": "http://a:b@h?q#f"], "admissionReviewVersions": ["v7"], "timeoutSeconds": 31,
                "matchConditions": [["name": "c", "expression": "object.+"]],
            ])
        let status = try await refusal { try await lab.create(Hooks.configuration("Validating", "v", broken)) }
        let fields = Set(status?.causes.map(\.field) ?? [])
        #expect(
            fields == [
                "webhooks[0].name", "webhooks[0].admissionReviewVersions", "webhooks[0].timeoutSeconds", "webhooks[0].clientConfig.url",
                "webhooks[0].matchConditions[0].expression",
            ])
        #expect(status?.message.contains("must include at least one of v1, v1beta1") == true)
    }
}
