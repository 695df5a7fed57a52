import KubeModel
import Testing

@testable import Registry

@Suite struct AdmissionPolicyTests {
    private static let deployments: JSON = [["apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["deployments"]]]
    private static let maps: JSON = [["apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]]]

    private static func policy(_ name: String, _ spec: JSON, rules: JSON = maps) -> JSON {
        [
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": ["name": .string(name)],
            "spec": MergePatch.apply(spec, to: ["matchConstraints": ["resourceRules": rules]]),
        ]
    }

    private static func binding(_ policy: String, _ spec: JSON = [:], name: String = "b") -> JSON {
        [
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": ["name": .string(name)],
            "spec": MergePatch.apply(spec, to: ["policyName": .string(policy), "validationActions": ["Deny"]]),
        ]
    }

    private static func deployment(_ replicas: Int) -> JSON {
        [
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": "nginx"],
            "spec": [
                "replicas": JSON(replicas), "selector": ["matchLabels": ["app": "nginx"]],
                "template": ["metadata": ["labels": ["app": "nginx"]], "spec": ["containers": [["name": "main", "image": "busybox"]]]],
            ],
        ]
    }

    @Test func theFirstExampleOfTheDocumentationHolds() async throws {
        let lab = try await Lab()
        try await lab.create(Self.policy("demo-policy.example.com", ["validations": [["expression": "object.spec.replicas <= 5"]]], rules: Self.deployments))
        try await lab.create(Self.deployment(4))
        try await lab.create(Self.binding("demo-policy.example.com", name: "demo-binding-test.example.com"))
        let status = try await refusal { try await lab.put(Self.deployment(6)) }
        #expect(status?.code == 422 && status?.reason == "Invalid")
        #expect(
            status?.message
                == "deployments.apps \"nginx\" is forbidden: ValidatingAdmissionPolicy 'demo-policy.example.com' with binding "
                + "'demo-binding-test.example.com' denied request: failed expression: object.spec.replicas <= 5")
        try await lab.put(Self.deployment(5))
    }

    @Test func messagesReasonsVariablesAndConditions() async throws {
        let lab = try await Lab()
        let spec: JSON = [
            "matchConditions": [["name": "c", "expression": "object.metadata.name != 'free'"]],
            "variables": [
                ["name": "keys", "expression": "object.data.map(k, k)"], ["name": "count", "expression": "variables.keys.size()"],
                ["name": "broken", "expression": "object.data['missing'] == 'x'"],
            ],
            "validations": [
                ["expression": "variables.count < 2 || variables.broken", "message": "never shown", "messageExpression": "'too many: ' + string(variables.count)"],
                ["expression": "request.operation != 'UPDATE' || oldObject.data == object.data", "message": "data stays", "reason": "Forbidden"],
                ["expression": "namespaceObject.metadata.name == 'team'"],
            ],
        ]
        try await lab.create(Self.policy("p.example.com", spec))
        try await lab.create(Self.binding("p.example.com"))
        try await lab.create(Hooks.map("free", ["a": "1", "b": "2"]))
        try await lab.create(Hooks.map("one"))
        let many = try await refusal { try await lab.create(Hooks.map("two", ["a": "1", "missing": "y"])) }
        #expect(many?.message.hasSuffix("denied request: too many: 2") == true, "\(many?.message ?? "")")
        let broken = try await refusal { try await lab.create(Hooks.map("three", ["a": "1", "b": "2"])) }
        #expect(broken?.message.contains("composited variable \"broken\" fails to evaluate") == true, "\(broken?.message ?? "")")
        let changed = try await refusal { try await lab.patch(.configMaps, "one", ["data": ["a": "2"]], .merge) }
        #expect(changed?.code == 403 && changed?.reason == "Forbidden" && changed?.message.hasSuffix("denied request: data stays") == true)
    }

    @Test func parametersComeFromTheBinding() async throws {
        let lab = try await Lab()
        let spec: JSON = [
            "paramKind": ["apiVersion": "v1", "kind": "ConfigMap"], "validations": [["expression": "object.spec.replicas <= int(params.data.most)"]],
        ]
        try await lab.create(Self.policy("limit.example.com", spec, rules: Self.deployments))
        try await lab.create(Self.binding("limit.example.com", ["paramRef": ["name": "limits", "parameterNotFoundAction": "Deny"]]))
        let missing = try await refusal { try await lab.create(Self.deployment(1)) }
        #expect(missing?.message.hasSuffix("failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction") == true)
        try await lab.create(Hooks.map("limits", ["most": "3"]))
        try await lab.create(Self.deployment(3))
        let over = try await refusal { try await lab.put(Self.deployment(4)) }
        #expect(over?.message.hasSuffix("failed expression: object.spec.replicas <= int(params.data.most)") == true)
    }

    @Test func aBindingMayOnlyWarn() async throws {
        let lab = try await Lab()
        try await lab.create(Self.policy("w.example.com", ["validations": [["expression": "size(object.data) < 1"]]]))
        try await lab.create(Self.binding("w.example.com", ["validationActions": ["Warn", "Audit"]]))
        let kind = try #require(lab.registry.kind(.configMaps))
        let result = try await lab.registry.create(kind, namespace: Lab.namespace, Hooks.map("one"), WriteOptions(manager: "kubectl"))
        #expect(
            result.warnings == ["Validation failed for ValidatingAdmissionPolicy 'w.example.com' with binding 'b': failed expression: size(object.data) < 1"])
    }

    @Test func theFailurePolicyDecidesAboutErrors() async throws {
        let lab = try await Lab()
        for (name, policy) in [("open", "Ignore"), ("closed", "Fail")] {
            let spec: JSON = ["failurePolicy": .string(policy), "validations": [["expression": "object.nothing.here == 1"]]]
            try await lab.create(Self.policy("\(name).example.com", spec))
        }
        try await lab.create(Self.binding("open.example.com"))
        try await lab.create(Hooks.map("one"))
        try await lab.create(Self.binding("closed.example.com", name: "c"))
        let status = try await refusal { try await lab.create(Hooks.map("two")) }
        #expect(status?.message.hasSuffix("denied request: expression 'object.nothing.here == 1' resulted in error: no such key: nothing") == true)
    }

    @Test func whatDoesNotCompileIsRefused() async throws {
        let lab = try await Lab()
        let spec: JSON = [
            "validations": [["expression": "object.x = 1"], ["expression": "1 + 1"], ["expression": "variables.no"]],
            "matchConditions": [["name": "c", "expression": "'text'"]],
        ]
        let conditions = try await refusal { try await lab.create(Self.policy("p.example.com", spec)) }
        #expect(conditions?.causes.first?.message.hasSuffix("must evaluate to bool but got string") == true)
        var rest = spec
        rest.remove("matchConditions")
        let status = try await refusal { [rest] in try await lab.create(Self.policy("p.example.com", rest)) }
        #expect(status?.causes.map(\.field) == (0..<3).map { "spec.validations[\($0)].expression" })
        #expect(status?.message.contains("compilation failed: ERROR: <input>:1:10: Syntax error") == true, "\(status?.message ?? "")")
        #expect(status?.message.contains("must evaluate to bool but got int") == true)
    }
}
