import KubeModel
import Testing

@testable import Registry

/// What a CustomResourceDefinition must be, and how it comes and goes.
@Suite struct DefinitionTests {
    private static let path = "spec.versions[0].schema.openAPIV3Schema"

    private static func definition(_ schema: JSON, plural: String = "kites", kind: String = "Kite", version: JSON = [:], names: JSON = [:]) -> JSON {
        let first: JSON = ["name": "v1", "served": true, "storage": true, "schema": ["openAPIV3Schema": schema]]
        return [
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": ["name": .string("\(plural).example.com")],
            "spec": [
                "group": "example.com", "scope": "Namespaced", "names": MergePatch.apply(names, to: ["plural": .string(plural), "kind": .string(kind)]),
                "versions": [MergePatch.apply(version, to: first)],
            ],
        ]
    }

    private static func spec(_ schema: JSON) -> JSON { ["type": "object", "properties": ["spec": schema]] }

    private func refused(_ schema: JSON) async throws -> [String] {
        let lab = try await Lab()
        let status = try await refusal { try await lab.create(Self.definition(schema)) }
        return (status?.causes ?? []).map { "\($0.field.replacing(Self.path, with: "~")): \($0.message)" }
    }

    @Test(arguments: [
        (["properties": ["spec": ["type": "object"]]] as JSON, "~.type: Required value: must not be empty at the root"),
        (spec(["properties": [:]]), "~.properties[spec].type: Required value: must not be empty for specified object fields"),
        (spec(["type": "array"]), "~.properties[spec].items: Required value: must be specified"),
        (
            spec(["type": "array", "items": [:]]), "~.properties[spec].items.type: Required value: must not be empty for specified array items"
        ),
        (
            spec(["type": "object", "anyOf": [["type": "object"]]]),
            "~.properties[spec].anyOf[0].type: Forbidden: must be empty to be structural"
        ),
        (
            ["type": "object", "oneOf": [["properties": ["x": ["minimum": 1]]]]] as JSON,
            "~.properties[x]: Required value: because it is defined in ~.oneOf[0].properties[x]"
        ),
        (
            spec(["type": "object", "properties": ["a": ["type": "string"]], "additionalProperties": ["type": "string"]]),
            "~.properties[spec].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"
        ),
        (
            spec(["x-kubernetes-int-or-string": true, "x-kubernetes-preserve-unknown-fields": true]),
            "~.properties[spec].x-kubernetes-preserve-unknown-fields: Invalid value: true: must be false if x-kubernetes-int-or-string is true"
        ),
        (
            spec(["type": "array", "items": ["type": "object", "properties": ["k": ["type": "string"]]], "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]]),
            "~.properties[spec].items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
        ),
        (
            spec(["type": "array", "items": ["type": "object"], "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]]),
            "~.properties[spec].x-kubernetes-list-map-keys: Invalid value: [\"k\"]: entries must all be names of item properties"
        ),
        (spec(["type": "string", "default": 3]), "~.properties[spec].default: Invalid value: \"integer\": ~.properties[spec].default in body must be of type string: \"integer\""),
        (spec(["type": "object", "default": ["x": 1]]), "~.properties[spec].default: Invalid value: {\"x\":1}: must not have unknown fields"),
        (spec(["type": "string", "pattern": "("]), "~.properties[spec].pattern: Invalid value: \"(\": must be a valid regular expression, but isn't: error parsing regexp"),
        (spec(["type": "array", "items": ["type": "string"], "uniqueItems": true]), "~.properties[spec].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"),
    ])
    func schemasThatAreNotStructuralAreRefused(_ schema: JSON, _ expected: String) async throws {
        let found = try await refused(schema)
        #expect(found.contains(expected.replacing("in ~", with: "in \(Self.path)").replacing("\": ~.", with: "\": \(Self.path).")) , "\(found)")
    }

    @Test func aRuleThatDoesNotCompileIsRefusedWithItsPlace() async throws {
        let rules: JSON = [["rule": "self.replicas <= self.most"], ["rule": "self.replicas"]]
        let found = try await refused(Self.spec(["type": "object", "properties": ["replicas": ["type": "integer"]], "x-kubernetes-validations": rules]))
        #expect(found.count == 2)
        #expect(found[0].hasPrefix("~.properties[spec].x-kubernetes-validations[0].rule: Invalid value: apiextensions.ValidationRule{Rule:\"self.replicas <= self.most\""))
        #expect(found[0].contains("compilation failed: ERROR: <input>:1:") && found[0].contains("undefined field 'most'"))
        #expect(found[1].hasSuffix("cel expression must evaluate to a bool"))
    }

    @Test func oldSelfNeedsSomethingToCompareWith() async throws {
        let items: JSON = ["type": "string", "maxLength": 5, "x-kubernetes-validations": [["rule": "self == oldSelf"]]]
        let found = try await refused(Self.spec(["type": "array", "maxItems": 5, "items": items]))
        #expect(found.first?.contains("oldSelf cannot be used on the uncorrelatable portion of the schema within \(Self.path).properties[spec]") == true, "\(found)")
    }

    @Test func rulesOverListsWithoutALimitAreTooExpensive() async throws {
        let rule: JSON = [["rule": "self.all(x, self.all(y, x == y))"]]
        let open = try await refused(Self.spec(["type": "array", "items": ["type": "integer"], "x-kubernetes-validations": rule]))
        #expect(open.first == "~.properties[spec].x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x "
            + "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)")
        #expect(try await refused(Self.spec(["type": "array", "maxItems": 50, "items": ["type": "integer"], "x-kubernetes-validations": rule])) == [])
    }

    @Test func embeddedResourcesMaySayWhatTheirMetadataIs() async throws {
        func template(_ metadata: JSON) -> JSON {
            let fields: JSON = ["apiVersion": ["type": "string"], "kind": ["type": "string"], "metadata": metadata]
            let rule: JSON = [["rule": "!has(self.metadata.namespace)"]]
            return Self.spec(["type": "object", "x-kubernetes-embedded-resource": true, "properties": fields, "x-kubernetes-validations": rule])
        }
        let described = try await refused(template(["type": "object", "properties": ["namespace": ["type": "string"]]]))
        #expect(described == [])
        #expect(try await refused(template(["type": "object"])).first?.contains("undefined field 'namespace'") == true)
    }

    @Test func namesHaveOneOwner() async throws {
        let lab = try await Lab()
        let schema: JSON = ["type": "object"]
        let first = try await lab.create(Self.definition(schema, names: ["shortNames": ["ki"]]))
        #expect(DefinitionNames.isTrue(first.value, "NamesAccepted") && DefinitionNames.isTrue(first.value, "Established"))
        let second = try await lab.create(Self.definition(schema, plural: "kitties", kind: "Kite", names: ["shortNames": ["ki"]]))
        let condition = second.status["conditions"].elements.first { $0["type"] == "NamesAccepted" }
        #expect(condition?["status"] == "False" && condition?["message"] == "\"KiteList\" is already in use")
        #expect(!DefinitionNames.isTrue(second.value, "Established"))
        #expect(lab.registry.kind(group: "example.com", version: "v1", plural: "kitties") == nil)
        #expect(lab.registry.kind(group: "example.com", version: "v1", plural: "kites")?.kind == "Kite")
    }

    @Test func versionsComeAndStayWhileObjectsMayBeStoredInThem() async throws {
        let lab = try await Lab()
        try await lab.create(Self.definition(["type": "object"]))
        var both = Self.definition(["type": "object"])
        both["spec"]["versions"] = [
            ["name": "v1", "served": true, "storage": false, "schema": ["openAPIV3Schema": ["type": "object"]]],
            ["name": "v2", "served": true, "storage": true, "schema": ["openAPIV3Schema": ["type": "object"]]],
        ]
        both["metadata"]["resourceVersion"] = .string("")
        let changed = try await lab.put(both)
        #expect(changed.status["storedVersions"] == ["v1", "v2"])
        #expect(lab.registry.kind(group: "example.com", version: "v2", plural: "kites") != nil)
        var later = both
        later["spec"]["versions"] = [both["spec"]["versions"][1]]
        let status = try await refusal { [later] in try await lab.put(later) }
        #expect(status?.causes.first?.field == "status.storedVersions[0]")
    }

    @Test func objectsGoBeforeTheirDefinition() async throws {
        let lab = try await Lab()
        try await lab.create(Self.definition(["type": "object", "x-kubernetes-preserve-unknown-fields": true]))
        try await lab.create(["apiVersion": "example.com/v1", "kind": "Kite", "metadata": ["name": "a", "finalizers": ["example.com/hold"]]])
        let outcome = try await lab.delete(.customResourceDefinitions, "kites.example.com")
        guard case .pending(let definition) = outcome else { return #expect(Bool(false), "expected the definition to wait") }
        #expect(definition.metadata["finalizers"] == [.string(DefinitionCleanup.finalizer)])
        let made = try await refusal { try await lab.create(["apiVersion": "example.com/v1", "kind": "Kite", "metadata": ["name": "b"]]) }
        #expect(made?.code == 405 && made?.message == "create not allowed while custom resource definition is terminating")
        #expect(lab.registry.kind(group: "example.com", version: "v1", plural: "kites") != nil, "its objects can still be reached")
    }
}
