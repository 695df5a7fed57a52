import KubeModel
import Testing

/// `x-kubernetes-validations`: where rules stand, what they see, and what is said when they fail.
struct RuleTests {
    private static func rule(_ rule: String, _ more: JSON = [:]) -> JSON {
        var json = more
        json["rule"] = .string(rule)
        return [json]
    }

    private static func schema(_ spec: JSON, root: JSON? = nil) -> Schema {
        var json: JSON = ["type": "object", "properties": ["spec": spec]]
        if let root { json["x-kubernetes-validations"] = root }
        return Schema(json: json, structural: true)
    }

    private static func errors(_ schema: Schema, _ spec: JSON, old: JSON? = nil) -> [String] {
        let object: JSON = ["apiVersion": "v1", "kind": "K", "metadata": ["name": "x"], "spec": spec]
        let stored: JSON? = old.map { ["apiVersion": "v1", "kind": "K", "metadata": ["name": "x"], "spec": $0] }
        return schema.validateRules(object, old: stored).causes.map { "\($0.field): \($0.message)" }
    }

    @Test func aFailedRuleNamesItsPlaceAndItself() {
        let numbers: JSON = ["min": ["type": "integer"], "max": ["type": "integer"]]
        var spec: JSON = ["type": "object", "properties": numbers, "x-kubernetes-validations": Self.rule("self.min <= self.max")]
        #expect(Self.errors(Self.schema(spec), ["min": 2, "max": 1]) == ["spec: Invalid value: \"object\": failed rule: self.min <= self.max"])
        #expect(Self.errors(Self.schema(spec), ["min": 1, "max": 1]) == [])
        #expect(Self.errors(Self.schema(spec), ["min": 1]) == ["spec: Invalid value: \"object\": no such key: max evaluating rule: self.min <= self.max"])
        spec["x-kubernetes-validations"] = Self.rule("self.min <= self.max", ["message": "min over max", "reason": "FieldValueForbidden", "fieldPath": ".min"])
        #expect(Self.errors(Self.schema(spec), ["min": 2, "max": 1]) == ["spec.min: Forbidden: min over max"])
        let expression: JSON = ["messageExpression": "'%d is more than %d'.format([self.min, self.max])", "message": "not this"]
        spec["x-kubernetes-validations"] = Self.rule("self.min <= self.max", expression)
        #expect(Self.errors(Self.schema(spec), ["min": 2, "max": 1]) == ["spec: Invalid value: \"object\": 2 is more than 1"])
        // A messageExpression that fails gives way to the message.
        spec["x-kubernetes-validations"] = Self.rule("self.min <= self.max", ["messageExpression": "string(self.min / 0)", "message": "this"])
        #expect(Self.errors(Self.schema(spec), ["min": 2, "max": 1]) == ["spec: Invalid value: \"object\": this"])
    }

    @Test func rulesStandOnEveryLevel() {
        let tag: JSON = ["type": "string", "x-kubernetes-validations": Self.rule("self.startsWith('t')")]
        let spec: JSON = ["type": "object", "properties": [
            "tags": ["type": "array", "items": tag], "labels": ["type": "object", "additionalProperties": tag],
        ]]
        let schema = Self.schema(spec, root: Self.rule("self.metadata.name.size() < 2 && self.kind == 'K'"))
        #expect(Self.errors(schema, ["tags": ["ta", "b"], "labels": ["k": "c"]]) == [
            "spec.tags[1]: Invalid value: \"string\": failed rule: self.startsWith('t')",
            "spec.labels[k]: Invalid value: \"string\": failed rule: self.startsWith('t')",
        ])
        let wrong = Self.schema(spec, root: Self.rule("self.metadata.name == 'y'"))
        #expect(Self.errors(wrong, [:]) == ["<nil>: Invalid value: \"object\": failed rule: self.metadata.name == 'y'"])
    }

    @Test func namesAreEscapedAndTypesAreThoseOfTheSchema() {
        let spec: JSON = ["type": "object", "x-kubernetes-validations": Self.rule(
            "self.a__dash__b == 1 && self.__namespace__ == 'n' && self.x__dot__y == 2.0 && self.d < duration('2h') && self.t.getFullYear() == 2024"
                + " && size(self.raw) == 3 && (type(self.port) == int ? self.port == 80 : self.port == 'http') && self.dd__underscores__ == true"),
            "properties": [
                "a-b": ["type": "integer"], "namespace": ["type": "string"], "x.y": ["type": "number"], "d": ["type": "string", "format": "duration"],
                "t": ["type": "string", "format": "date-time"], "raw": ["type": "string", "format": "byte"],
                "port": ["x-kubernetes-int-or-string": true], "dd__": ["type": "boolean"],
            ]]
        let value: JSON = [
            "a-b": 1, "namespace": "n", "x.y": 2, "d": "1h30m", "t": "2024-02-29T00:00:00Z", "raw": "YWJj", "port": 80, "dd__": true,
        ]
        #expect(Self.errors(Self.schema(spec), value) == [])
        #expect(Self.errors(Self.schema(spec), value.with("port", "http")) == [])
        #expect(Self.errors(Self.schema(spec), value.with("port", 81)).count == 1)
    }

    @Test func setsAndListsOfTypeMapCompareWithoutOrder() {
        let item: JSON = ["type": "object", "properties": ["k": ["type": "string"], "v": ["type": "integer"]]]
        let spec: JSON = ["type": "object", "x-kubernetes-validations": Self.rule("self.a == self.b && self.m == self.n && (self.m + self.n).size() == 2"),
            "properties": [
                "a": ["type": "array", "items": ["type": "string"], "x-kubernetes-list-type": "set"],
                "b": ["type": "array", "items": ["type": "string"], "x-kubernetes-list-type": "set"],
                "m": ["type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]],
                "n": ["type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]],
            ]]
        // Two fields with schemas of their own are of two types to the checker, as upstream.
        let lists: JSON = [["k": "x", "v": 1], ["k": "y", "v": 2]]
        let other: JSON = [["k": "y", "v": 2], ["k": "x", "v": 1]]
        let errors = Self.errors(Self.schema(spec), ["a": ["p", "q"], "b": ["q", "p"], "m": lists, "n": other])
        #expect(errors.allSatisfy { $0.contains("found no matching overload for '_==_' applied to '(list(object), list(object))'") })
        let same = Self.rule("self.a == self.b && self.m == oldSelf.m && (self.m + oldSelf.m).size() == 2")
        let correct = Self.schema(spec.with("x-kubernetes-validations", same))
        #expect(Self.errors(correct, ["a": ["p", "q"], "b": ["q", "p"], "m": lists], old: ["a": [], "b": [], "m": other]) == [])
    }

    @Test func transitionRulesNeedACounterpart() {
        let item: JSON = ["type": "object", "properties": [
            "k": ["type": "string"], "v": ["type": "integer", "x-kubernetes-validations": Self.rule("self >= oldSelf", ["message": "v must grow"])],
        ]]
        let spec: JSON = ["type": "object", "properties": [
            "list": ["type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]],
            "fixed": ["type": "string", "x-kubernetes-validations": Self.rule("self == oldSelf", ["message": "fixed"])],
            "once": ["type": "string", "x-kubernetes-validations": Self.rule(
                "oldSelf.hasValue() || self == 'first'", ["optionalOldSelf": true, "message": "begin with first"])],
        ]]
        let schema = Self.schema(spec)
        #expect(Self.errors(schema, ["list": [["k": "a", "v": 1]], "fixed": "x"]) == [])
        let old: JSON = ["list": [["k": "a", "v": 5], ["k": "b", "v": 5]], "fixed": "x"]
        #expect(Self.errors(schema, ["list": [["k": "b", "v": 6], ["k": "a", "v": 4], ["k": "c", "v": 0]], "fixed": "y"], old: old) == [
            "spec.list[1].v: Invalid value: \"integer\": v must grow", "spec.fixed: Invalid value: \"string\": fixed",
        ])
        #expect(Self.errors(schema, ["once": "other"]) == ["spec.once: Invalid value: \"string\": begin with first"])
        #expect(Self.errors(schema, ["once": "other"], old: ["once": "first"]) == [])
    }

    @Test func whatHasNotChangedOnlyWarns() {
        let even: JSON = ["type": "integer", "x-kubernetes-validations": Self.rule("self % 2 == 0")]
        let schema = Self.schema(["type": "object", "properties": ["a": even, "b": even]])
        let object: (JSON) -> JSON = { ["apiVersion": "v1", "kind": "K", "metadata": ["name": "x"], "spec": $0] }
        let outcome = schema.validateRules(object(["a": 1, "b": 3]), old: object(["a": 1, "b": 2]))
        #expect(outcome.causes.map(\.field) == ["spec.b"])
        #expect(outcome.warnings == ["spec.a: Invalid value: \"integer\": failed rule: self % 2 == 0"])
        // The schema's own constraints ratchet too.
        let small = Self.schema(["type": "object", "properties": ["a": ["type": "integer", "maximum": 3], "b": ["type": "integer", "maximum": 3]]])
        #expect(small.validate(object(["a": 9, "b": 9]), old: object(["a": 9, "b": 1])).map(\.field) == ["spec.b"])
    }

    @Test func theBudgetOfAnObjectEnds() {
        let item: JSON = ["type": "array", "items": ["type": "integer"], "x-kubernetes-validations": Self.rule("self.all(x, self.all(y, x + y >= 0))")]
        let schema = Self.schema(["type": "object", "properties": ["m": ["type": "array", "items": item]]])
        let row = JSON.array((0..<300).map { JSON($0) })
        let causes = expectFast(.seconds(60)) { Self.errors(schema, ["m": .array(Array(repeating: row, count: 200))]) }
        #expect(causes.count == 1)
        #expect(causes.first?.hasSuffix("validation failed due to running out of cost budget, no further validation rules will be run") == true)
        let deep = Self.schema(["type": "object", "properties": ["m": item.with("x-kubernetes-validations", Self.rule("self.all(x, self.all(y, self.all(z, true)))"))]])
        #expect(Self.errors(deep, ["m": row]) == [
            "spec.m: Invalid value: \"array\": 'operation cancelled: actual cost limit exceeded': no further validation rules will be run"
                + " due to call cost exceeds limit for rule: self.all(x, self.all(y, self.all(z, true)))",
        ])
    }

    @Test func fieldPathsFollowTheSchema() throws {
        let schema = Schema(json: ["type": "object", "properties": ["a": ["type": "object", "additionalProperties": ["type": "string"]]]], structural: true)
        #expect(try RuleFieldPath.normalized(".a['x.y']", schema) == "a[x.y]")
        #expect(try RuleFieldPath.normalized("['a']", schema) == "a")
        for wrong in [".b", "a", ".a[0]", ".a.b.c", ".", "['a"] { #expect(throws: RuleFieldPath.Problem.self) { _ = try RuleFieldPath.normalized(wrong, schema) } }
    }
}

extension JSON {
    fileprivate func with(_ key: String, _ value: JSON) -> JSON {
        var json = self
        json[key] = value
        return json
    }
}
