import KubeModel
import Testing

@Suite struct SchemaTests {
    private static let library: SchemaLibrary = {
        let text = #"""
            {"definitions":{
              "io.k8s.api.core.v1.Pod":{"type":"object","properties":{"apiVersion":{"type":"string"},"kind":{"type":"string"},
                "metadata":{"$ref":"#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"},"spec":{"$ref":"#/definitions/io.k8s.api.core.v1.PodSpec"}}},
              "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta":{"type":"object","properties":{"name":{"type":"string"},
                "labels":{"type":"object","additionalProperties":{"type":"string"}},"creationTimestamp":{"$ref":"#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.Time"}}},
              "io.k8s.apimachinery.pkg.apis.meta.v1.Time":{"type":"string","format":"date-time"},
              "io.k8s.apimachinery.pkg.api.resource.Quantity":{"type":"string"},
              "io.k8s.api.core.v1.PodSpec":{"type":"object","required":["containers"],"x-kindling-default-function":"spec","properties":{
                "restartPolicy":{"type":"string","enum":["Always","OnFailure","Never"],"default":"Always"},"seconds":{"type":"integer","format":"int64"},
                "containers":{"type":"array","items":{"$ref":"#/definitions/io.k8s.api.core.v1.Container"},"x-kubernetes-list-type":"map",
                  "x-kubernetes-list-map-keys":["name"],"x-kubernetes-patch-strategy":"merge","x-kubernetes-patch-merge-key":"name"}}},
              "io.k8s.api.core.v1.Container":{"type":"object","required":["name"],"properties":{"name":{"type":"string"},
                "command":{"type":"array","items":{"type":"string"}},"stdin":{"type":"boolean"},"port":{"type":"integer","format":"int32"},
                "target":{"type":"string","format":"int-or-string"},"secret":{"type":"string","format":"byte"},
                "limits":{"type":"object","additionalProperties":{"$ref":"#/definitions/io.k8s.api.core.v1.Q"}},
                "policy":{"type":"string","default":"IfNotPresent"},"raw":{"type":"object"},
                "env":{"type":"array","items":{"$ref":"#/definitions/io.k8s.api.core.v1.EnvVar"}}}},
              "io.k8s.api.core.v1.Q":{"$ref":"#/definitions/io.k8s.apimachinery.pkg.api.resource.Quantity"},
              "io.k8s.api.core.v1.EnvVar":{"type":"object","required":["name"],"properties":{"name":{"type":"string"},"value":{"type":"string"}}},
              "Tree":{"type":"object","properties":{"children":{"type":"array","items":{"$ref":"#/definitions/Tree"}}}}
            }}
            """#
        return SchemaLibrary(json: (try? JSON(reading: text)) ?? [:])
    }()
    private static var pod: Schema { library.definition("io.k8s.api.core.v1.Pod") ?? .anything }

    private func good() -> JSON { ["metadata": ["name": "x"], "spec": ["containers": [["name": "a", "limits": ["cpu": 1, "memory": "1Gi"]]]]] }

    @Test func namesUnknownFieldsByTheirPath() {
        var pod = good()
        #expect(Self.pod.unknownFields(in: pod).isEmpty)
        pod["spec"]["paralelTrialCount"] = 3
        pod["spec"]["containers"] = [["name": "a"], ["name": "b", "foo": ["x": 1], "raw": ["free": 1], "limits": ["any/thing": 1]]]
        pod["metadata"]["labels"] = ["whatever": "x"]
        pod["bogus"] = .null
        #expect(Self.pod.unknownFields(in: pod) == [
            #"unknown field "spec.containers[1].foo""#, #"unknown field "spec.paralelTrialCount""#, #"unknown field "bogus""#,
        ])
    }

    @Test func prunesWhatIsUnknownAndKeepsTheRest() throws {
        var pod = try JSON(reading: #"{"kind":"Pod","x":1,"spec":{"containers":[{"name":"a","y":2,"raw":{"free":{"z":1}},"env":[{"name":"e","q":1}]}]}}"#)
        Self.pod.prune(&pod)
        #expect(try pod == JSON(reading: #"{"kind":"Pod","spec":{"containers":[{"name":"a","raw":{"free":{"z":1}},"env":[{"name":"e"}]}]}}"#))
    }

    @Test func dropsNullsAsGoDoes() throws {
        var pod = try JSON(reading: #"{"metadata":{"labels":{"a":null},"name":null,"creationTimestamp":null},"spec":{"containers":[null,{"name":"a","command":[null,"b"],"raw":{"k":null}}]},"kind":null}"#)
        Self.pod.dropNulls(&pod)
        #expect(try pod == JSON(reading: #"{"metadata":{"labels":{"a":""}},"spec":{"containers":[{},{"name":"a","command":["","b"],"raw":{"k":null}}]}}"#))
    }

    @Test func fillsInDefaults() throws {
        var pod = good()
        Self.pod.applyDefaults(&pod, functions: ["spec": { $0["seconds"] = $0["restartPolicy"] == "Always" ? 30 : 0 }])
        #expect(pod["spec"]["restartPolicy"] == "Always")
        #expect(pod["spec"]["seconds"] == 30)
        #expect(pod["spec"]["containers"][0]["policy"] == "IfNotPresent")
        var empty: JSON = ["kind": "Pod"]
        Self.pod.applyDefaults(&empty)
        #expect(empty == ["kind": "Pod"])
    }

    @Test func validatesWithUpstreamsWords() {
        #expect(Self.pod.validate(good()).isEmpty)
        let causes = Self.pod.validate(["spec": ["restartPolicy": "Sometimes", "containers": [["name": "a"], [:], ["name": "a"]]]])
        #expect(causes.contains(.init(reason: "FieldValueNotSupported", message: #"Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never""#, field: "spec.restartPolicy")))
        #expect(causes.contains(.init(reason: "FieldValueRequired", message: "Required value", field: "spec.containers[1].name")))
        #expect(causes.contains { $0.reason == "FieldValueDuplicate" && $0.field == "spec.containers[2]" })
        #expect(Self.pod.validate(["spec": [:]]) == [.init(reason: "FieldValueRequired", message: "Required value", field: "spec.containers")])
    }

    @Test(arguments: [
        (#"{"spec":{"containers":"x"}}"#, "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container"),
        (#"{"spec":{"containers":[{"env":[{"name":"a","value":5}]}]}}"#,
            "json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string"),
        (#"{"spec":[]}"#, "json: cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec"),
        (#"{"spec":{"containers":[{"stdin":"yes"}]}}"#, "json: cannot unmarshal string into Go struct field Container.spec.containers.stdin of type bool"),
        (#"{"spec":{"containers":[{"port":3000000000}]}}"#, "json: cannot unmarshal number 3000000000 into Go struct field Container.spec.containers.port of type int32"),
        (#"{"spec":{"containers":[{"port":1.5}]}}"#, "json: cannot unmarshal number 1.5 into Go struct field Container.spec.containers.port of type int32"),
        (#"{"spec":{"containers":[{"limits":{"cpu":"lots"}}]}}"#, "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
        (#"{"metadata":{"creationTimestamp":"now"}}"#, #"parsing time "now" as "2006-01-02T15:04:05Z07:00": cannot parse "now" as "2006""#),
        (#"{"metadata":{"labels":{"a":1}}}"#, "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string"),
        (#"{"spec":{"containers":[{"secret":"a!"}]}}"#, "illegal base64 data at input byte 1"),
        (#"{"spec":{"containers":[{"target":{}}]}}"#, "json: cannot unmarshal object into Go value of type int32"),
        (#"[]"#, "json: cannot unmarshal array into Go value of type v1.Pod"),
    ])
    func saysWhatGoWouldSay(_ object: String, _ problem: String) throws {
        #expect(try Self.pod.decodingError(in: JSON(reading: object)) == problem)
    }

    @Test func decodesWhatGoDecodes() throws {
        #expect(Self.pod.decodingError(in: good()) == nil)
        let text = #"{"spec":{"seconds":3000000000,"containers":[{"target":"http","limits":null},{"target":80,"secret":"YQ=="}]},"metadata":{"creationTimestamp":"2024-01-01T00:00:00Z"},"unknown":[1]}"#
        #expect(try Self.pod.decodingError(in: JSON(reading: text)) == nil)
    }

    @Test func looksUpMergeFacts() throws {
        let containers = try #require(Self.pod.child("spec")?.child("containers"))
        #expect(containers.patchMergeKey == "name")
        #expect(containers.patchStrategies == ["merge"])
        #expect(containers.listType == .map)
        #expect(containers.listMapKeys == ["name"])
        #expect(containers.items?.name == "io.k8s.api.core.v1.Container")
        #expect(containers.items?.child("limits")?.additionalProperties?.scalar == .quantity)
        #expect(Self.pod.child("nothing") == nil)
    }

    @Test func recursiveDefinitionsEnd() throws {
        let tree = try #require(Self.library.definition("Tree"))
        var value: JSON = [:]
        for _ in 0..<200 { value = ["children": [value]] }
        #expect(tree.validate(value).isEmpty)
        #expect(tree.unknownFields(in: value).isEmpty)
        #expect(Self.library.definition("None") == nil)
        let ring = SchemaLibrary(json: ["A": ["$ref": "B"], "B": ["$ref": "A"]])
        #expect(ring.definition("A")?.validate(["x": 1]) != nil)
        #expect(Schema.anything.unknownFields(in: ["a": ["b": 1]]).isEmpty)
    }
}

/// Schemas as a user's CustomResourceDefinition has them.
@Suite struct StructuralSchemaTests {
    private func schema(_ text: String) throws -> Schema { Schema(json: try JSON(reading: text), structural: true) }

    @Test(arguments: [
        (#"{"type":"integer"}"#, #""string""#, "FieldValueTypeInvalid", #"Invalid value: "string": x in body must be of type integer: "string""#),
        (#"{"type":"integer"}"#, "1.5", "FieldValueTypeInvalid", #"Invalid value: "number": x in body must be of type integer: "number""#),
        (#"{"type":"string"}"#, "1", "FieldValueTypeInvalid", #"Invalid value: "integer": x in body must be of type string: "integer""#),
        (#"{"type":"object"}"#, "[]", "FieldValueTypeInvalid", #"Invalid value: "array": x in body must be of type object: "array""#),
        (#"{"type":"string"}"#, "null", "FieldValueTypeInvalid", #"Invalid value: "null": x in body must be of type string: "null""#),
        (#"{"type":"integer","minimum":1}"#, "0", "FieldValueInvalid", "Invalid value: 0: x in body should be greater than or equal to 1"),
        (#"{"type":"integer","maximum":1}"#, "2", "FieldValueInvalid", "Invalid value: 2: x in body should be less than or equal to 1"),
        (#"{"type":"number","maximum":1,"exclusiveMaximum":true}"#, "1", "FieldValueInvalid", "Invalid value: 1: x in body should be less than 1"),
        (#"{"type":"number","multipleOf":0.5}"#, "0.7", "FieldValueInvalid", "Invalid value: 0.7: x in body should be a multiple of 0.5"),
        (#"{"type":"string","minLength":2}"#, #""a""#, "FieldValueInvalid", #"Invalid value: "a": x in body should be at least 2 chars long"#),
        (#"{"type":"string","maxLength":2}"#, #""abc""#, "FieldValueTooLong", "Too long: may not be more than 2 bytes"),
        (#"{"type":"string","pattern":"^a+$"}"#, #""b""#, "FieldValueInvalid", #"Invalid value: "b": x in body should match '^a+$'"#),
        (#"{"type":"string","enum":["a","b"]}"#, #""c""#, "FieldValueNotSupported", #"Unsupported value: "c": supported values: "a", "b""#),
        (#"{"type":"array","minItems":1}"#, "[]", "FieldValueInvalid", "Invalid value: []: x in body should have at least 1 items"),
        (#"{"type":"array","maxItems":1}"#, "[1,2]", "FieldValueTooMany", "Too many: 2: must have at most 1 items"),
        (#"{"type":"array","x-kubernetes-list-type":"set","items":{"type":"string"}}"#, #"["a","a"]"#, "FieldValueDuplicate", #"Duplicate value: "a""#),
        (#"{"type":"string","format":"date-time"}"#, #""x""#, "FieldValueInvalid", #"Invalid value: "x": x in body must be of type date-time: "x""#),
        (#"{"anyOf":[{"type":"string"},{"type":"integer"}]}"#, "true", "FieldValueInvalid", #"Invalid value: true: "x" must validate at least one schema (anyOf)"#),
        (#"{"not":{"type":"string"}}"#, #""a""#, "FieldValueInvalid", #"Invalid value: "a": "x" must not validate the schema (not)"#),
        (#"{"x-kubernetes-int-or-string":true}"#, "true", "FieldValueTypeInvalid", #"Invalid value: "boolean": x in body must be of type integer,string: "boolean""#),
    ])
    func refuses(_ rule: String, _ value: String, _ reason: String, _ message: String) throws {
        let schema = try schema(#"{"type":"object","properties":{"x":\#(rule)}}"#)
        let causes = try schema.validate(["x": JSON(reading: value)])
        #expect(causes.first { $0.reason == reason }?.message == message, "\(causes)")
        #expect(causes.allSatisfy { $0.field.hasPrefix("x") })
    }

    @Test(arguments: [
        (#"{"type":"integer"}"#, "1.0"), (#"{"type":"number"}"#, "1"), (#"{"type":"string","nullable":true}"#, "null"), (#"{"x-kubernetes-int-or-string":true}"#, "5"),
        (#"{"x-kubernetes-int-or-string":true}"#, #""5""#), (#"{"type":"string","pattern":"a+"}"#, #""xay""#), (#"{"oneOf":[{"type":"string"},{"type":"integer"}]}"#, "1"),
        (#"{"type":"string","format":"made-up"}"#, #""x""#), (#"{"type":"string","maxLength":2}"#, #""éé""#), (#"{}"#, "[1]"),
    ])
    func accepts(_ rule: String, _ value: String) throws {
        let schema = try schema(#"{"type":"object","properties":{"x":\#(rule)}}"#)
        #expect(try schema.validate(["x": JSON(reading: value)]) == [])
    }

    @Test func anEmbeddedObjectSaysWhatItIs() throws {
        let schema = try schema(#"{"type":"object","properties":{"o":{"type":"object","x-kubernetes-embedded-resource":true,"x-kubernetes-preserve-unknown-fields":true}}}"#)
        let causes = try schema.validate(JSON(reading: #"{"o":{"kind":"","metadata":{}}}"#))
        #expect(causes == [.required("o.apiVersion", "must not be empty"), .invalid("o.kind", "", "must not be empty")])
        #expect(try schema.validate(JSON(reading: #"{"o":{"apiVersion":"v1","kind":"Pod"}}"#)) == [])
    }

    @Test func prunesAsCustomResourcesArePruned() throws {
        let schema = try schema(
            #"{"type":"object","properties":{"spec":{"type":"object"},"open":{"type":"object","x-kubernetes-preserve-unknown-fields":true,"properties":{"closed":{"type":"object","properties":{"a":{"type":"string"}}}}},"pod":{"type":"object","x-kubernetes-embedded-resource":true,"properties":{}}}}"#)
        var value = try JSON(reading: #"{"spec":{"x":1},"open":{"y":1,"closed":{"a":"1","b":2}},"pod":{"kind":"Pod","metadata":{"name":"x"},"data":1},"z":1}"#)
        #expect(schema.unknownFields(in: value) == ["spec.x", "open.closed.b", "pod.data", "z"].map { "unknown field \"\($0)\"" })
        schema.prune(&value)
        #expect(try value == JSON(reading: #"{"spec":{},"open":{"y":1,"closed":{"a":"1"}},"pod":{"kind":"Pod","metadata":{"name":"x"}}}"#))
    }

    @Test func defaultsAndNulls() throws {
        let schema = try schema(
            #"{"type":"object","properties":{"a":{"type":"integer","default":1},"n":{"type":"integer","nullable":true,"default":2},"plain":{"type":"string"},"o":{"type":"object","default":{},"properties":{"b":{"type":"string","default":"x"}}},"m":{"type":"object","additionalProperties":{"type":"object","properties":{"c":{"type":"integer","default":3}}}}}}"#)
        var value = try JSON(reading: #"{"a":null,"n":null,"plain":null,"m":{"k":{},"z":null}}"#)
        schema.dropNullsOfCustomResource(&value)
        schema.applyDefaults(&value)
        #expect(try value == JSON(reading: #"{"n":null,"m":{"k":{"c":3},"z":null},"a":1,"o":{"b":"x"}}"#))
    }
}

@Suite struct PatternTests {
    @Test(arguments: [
        ("abc", "xabcx", "abc"), ("a.c", "a\nc abc", "abc"), ("(?s)a.c", "a\nc", "a\nc"), ("^a", "ba", nil), ("(?m)^a$", "b\na", "a"), ("a*?b", "aab", "aab"), ("a|ab", "ab", "a"),
        ("(a|b)*c", "abac", "abac"), ("[a-c]+", "xxabcx", "abc"), ("[^a-c]+", "abxyc", "xy"), (#"\d{2,3}"#, "1 1234", "123"), (#"\bfoo\b"#, "a foo b", "foo"),
        ("(?i)HeLLo", "hello", "hello"), ("x{0}y", "xy", "y"), ("a{,2}", "a{,2}", "a{,2}"), (#"\Qa.b\E+"#, "a.bbb", "a.bbb"), ("[[:digit:]]+", "ab12", "12"), ("[]a]+", "]a", "]a"),
        (#"[\w-]+"#, "a-b c", "a-b"), ("é+", "xéé", "éé"), (#"\x41"#, "A", "A"), ("(a*)*", "aaa", "aaa"), ("", "x", ""), (#"[^\D5]+"#, "a1256", "12"), ("a+?", "aaa", "a"), ("(?U)a+", "aaa", "a"),
    ] as [(String, String, String?)])
    func finds(_ expression: String, _ text: String, _ expected: String?) throws {
        #expect(try Pattern(expression).firstMatch(in: text).map { String($0.whole) } == expected)
        #expect(try Pattern(expression).matches(text) == (expected != nil))
    }

    // Katib's default filter of metric lines.
    @Test func findsKatibsMetrics() throws {
        let pattern = try Pattern(#"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)"#)
        let matches = pattern.allMatches(in: "epoch 3: Validation-accuracy=0.9675 loss = 1.5e-3 lr=NaN")
        #expect(matches.map { $0.groups.prefix(3).map { $0.map(String.init) } } == [
            ["Validation-accuracy=0.9675", "Validation-accuracy", "0.9675"], ["loss = 1.5e-3", "loss", "1.5e-3"], ["lr=", "lr", ""],
        ])
    }

    @Test(arguments: ["(", ")", "[a", "*a", "a**", "a{1001}", "[b-a]", "(?Pz)", #"\"#, #"\q"#, "(?<n", "[[:nope:]]", #"\p{L}"#])
    func refuses(_ expression: String) { #expect(throws: PatternError.self) { try Pattern(expression) } }

    @Test func hostileExpressionsTakeLinearTime() throws {
        let text = String(repeating: "a", count: 2000)
        for expression in ["(a+)+$b", "(a|a)*b", "(a*)*b", "(.*)(.*)(.*)(.*)b", String(repeating: "a?", count: 200) + String(repeating: "a", count: 200) + "b"] {
            let pattern = try Pattern(expression)
            expectFast(.seconds(20), expression) { #expect(!pattern.matches(text)) }
        }
        #expect(throws: PatternError.self) { try Pattern("((a{1000}){1000}){1000}") }
        #expect(throws: PatternError.self) { try Pattern(String(repeating: "(", count: 100_000)) }
    }
}
