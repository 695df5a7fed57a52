import KubeModel
import Testing

@Suite struct JSONPatchTests {
    // The examples of RFC 6902, appendix A.
    @Test(arguments: [
        (#"{"foo":"bar"}"#, #"[{"op":"add","path":"/baz","value":"qux"}]"#, #"{"foo":"bar","baz":"qux"}"#),
        (#"{"foo":["bar","baz"]}"#, #"[{"op":"add","path":"/foo/1","value":"qux"}]"#, #"{"foo":["bar","qux","baz"]}"#),
        (#"{"baz":"qux","foo":"bar"}"#, #"[{"op":"remove","path":"/baz"}]"#, #"{"foo":"bar"}"#),
        (#"{"foo":["bar","qux","baz"]}"#, #"[{"op":"remove","path":"/foo/1"}]"#, #"{"foo":["bar","baz"]}"#),
        (#"{"baz":"qux"}"#, #"[{"op":"replace","path":"/baz","value":"boo"}]"#, #"{"baz":"boo"}"#),
        (#"{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}"#,
            #"[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]"#, #"{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}"#),
        (#"{"foo":["all","grass","cows","eat"]}"#, #"[{"op":"move","from":"/foo/1","path":"/foo/3"}]"#, #"{"foo":["all","cows","eat","grass"]}"#),
        (#"{"baz":"qux","foo":["a",2,"c"]}"#, #"[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]"#,
            #"{"baz":"qux","foo":["a",2,"c"]}"#),
        (#"{"foo":"bar"}"#, #"[{"op":"add","path":"/child","value":{"grandchild":{}}}]"#, #"{"foo":"bar","child":{"grandchild":{}}}"#),
        (#"{"foo":["bar"]}"#, #"[{"op":"add","path":"/foo/-","value":["abc","def"]}]"#, #"{"foo":["bar",["abc","def"]]}"#),
        (#"{"/":9,"~1":10}"#, #"[{"op":"test","path":"/~01","value":10},{"op":"remove","path":"/~1"}]"#, #"{"~1":10}"#),
        (#"{"a":1}"#, #"[{"op":"copy","from":"/a","path":"/b"}]"#, #"{"a":1,"b":1}"#),
        (#"{"a":1}"#, #"[{"op":"replace","path":"","value":{"b":2}}]"#, #"{"b":2}"#),
        (#"{"a":1}"#, #"[{"op":"test","path":"/b","value":null}]"#, #"{"a":1}"#),
    ])
    func appliesOperations(_ document: String, _ patch: String, _ expected: String) throws {
        #expect(try JSONPatch.apply(JSON(reading: patch), to: JSON(reading: document)) == JSON(reading: expected))
    }

    @Test(arguments: [
        (#"[{"op":"test","path":"/a","value":2}]"#, 422, "testing value /a failed: test failed"),
        (#"[{"op":"remove","path":"/x"}]"#, 422, "remove operation does not apply"), (#"[{"op":"replace","path":"/x","value":1}]"#, 422, "replace"),
        (#"[{"op":"add","path":"/x/y","value":1}]"#, 422, "no value at \"x\""), (#"[{"op":"add","path":"/l/9","value":1}]"#, 422, "bounds"),
        (#"[{"op":"add","path":"/l/01","value":1}]"#, 422, "bounds"), (#"[{"op":"jump","path":"/a"}]"#, 400, "unexpected kind"),
        (#"[{"path":"/a"}]"#, 400, "no \"op\""), (#"[{"op":"add","path":"a","value":1}]"#, 400, "begins with '/'"),
        (#"[{"op":"add","path":"/a"}]"#, 400, "no \"value\""), (#"{"op":"add"}"#, 400, "expected an array"),
        (#"[{"op":"move","from":"/o","path":"/o/p"}]"#, 422, "into itself"), (#"[{"op":"copy","from":"/q","path":"/p"}]"#, 422, "no value at \"q\""),
    ])
    func refusesWhatDoesNotApply(_ patch: String, _ code: Int, _ problem: String) throws {
        let document: JSON = ["a": 1, "l": [1], "o": [:]]
        let error = #expect(throws: APIStatus.self) { try JSONPatch.apply(JSON(reading: patch), to: document) }
        #expect(error?.code == code)
        #expect(error?.message.contains(problem) == true, "\(error?.message ?? "")")
    }

    // CVE-2019-1002100.
    @Test func stopsCopyBombs() {
        let copies: [JSON] = (0..<10_000).map { _ in ["op": "copy", "from": "/a", "path": "/a/-"] }
        let error = expectFast(.seconds(5)) { #expect(throws: APIStatus.self) { try JSONPatch.apply(.array(copies), to: ["a": [1, 2]]) } }
        #expect(error?.code == 422 || error?.code == 413)
        let wide: [JSON] = (0..<10_000).map { ["op": "copy", "from": "/a", "path": .string("/b\($0)")] }
        let text = String(repeating: "x", count: 100_000)
        let second = expectFast(.seconds(5)) { #expect(throws: APIStatus.self) { try JSONPatch.apply(.array(wide), to: ["a": .string(text)]) } }
        #expect(second?.code == 413)
    }

    @Test func stopsTooManyOperationsAndTooMuchShifting() {
        let many: [JSON] = (0...10_000).map { _ in ["op": "test", "path": "/a", "value": 1] }
        #expect(#expect(throws: APIStatus.self) { try JSONPatch.apply(.array(many), to: ["a": 1]) }?.code == 413)
        let shifting: [JSON] = (0..<10_000).map { _ in ["op": "add", "path": "/0", "value": 0] }
        let list = JSON.array(Array(repeating: 0, count: 300_000))
        #expect(expectFast(.seconds(10)) { #expect(throws: APIStatus.self) { try JSONPatch.apply(.array(shifting), to: list) } }?.code == 413)
    }

    @Test func manyOperationsOnOneBigObjectAreQuick() throws {
        let copies: [JSON] = (0..<10_000).map { ["op": "copy", "from": "/a", "path": .string("/b\($0)")] }
        let result = try expectFast { try JSONPatch.apply(.array(copies), to: ["a": "x"]) }
        #expect(result.members.count == 10_001)
    }

    @Test func stopsNestingByPatch() {
        var operations: [JSON] = []
        var path = ""
        for _ in 0..<2000 {
            path += "/a"
            operations.append(["op": "add", "path": .string(path), "value": [:]])
        }
        #expect(#expect(throws: APIStatus.self) { try JSONPatch.apply(.array(operations), to: [:]) }?.code == 422)
    }
}

@Suite struct MergePatchTests {
    // RFC 7386, appendix A.
    @Test(arguments: [
        (#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"b"}"#, #"{"b":"c"}"#, #"{"a":"b","b":"c"}"#), (#"{"a":"b"}"#, #"{"a":null}"#, #"{}"#),
        (#"{"a":"b","b":"c"}"#, #"{"a":null}"#, #"{"b":"c"}"#), (#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#),
        (#"{"a":"c"}"#, #"{"a":["b"]}"#, #"{"a":["b"]}"#), (#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#),
        (#"{"a":[{"b":"c"}]}"#, #"{"a":[1]}"#, #"{"a":[1]}"#), (#"["a","b"]"#, #"["c","d"]"#, #"["c","d"]"#), (#"{"a":"b"}"#, #"["c"]"#, #"["c"]"#),
        (#"{"a":"foo"}"#, "null", "null"), (#"{"a":"foo"}"#, #""bar""#, #""bar""#), (#"{"e":null}"#, #"{"a":1}"#, #"{"e":null,"a":1}"#),
        (#"[1,2]"#, #"{"a":"b","c":null}"#, #"{"a":"b"}"#), (#"{}"#, #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
    ])
    func appliesAsTheRFCSays(_ document: String, _ patch: String, _ expected: String) throws {
        #expect(try MergePatch.apply(JSON(reading: patch), to: JSON(reading: document)) == JSON(reading: expected))
    }

    /// Without nulls, which a merge patch cannot say.
    private func withoutNulls(_ value: JSON) -> JSON {
        switch value {
        case .object(let members): .object(members.filter { !$0.value.isNull }.mapValues(withoutNulls))
        case .array(let elements): .array(elements.map(withoutNulls))
        default: value
        }
    }

    @Test func diffLeadsFromOneValueToTheOther() {
        var generator = SeededGenerator()
        for _ in 0..<500 {
            let old: JSON = ["a": withoutNulls(.random(depth: 3, using: &generator)), "b": withoutNulls(.random(depth: 3, using: &generator))]
            let new: JSON = ["a": withoutNulls(.random(depth: 3, using: &generator)), "c": withoutNulls(.random(depth: 3, using: &generator))]
            let patch = MergePatch.diff(from: withoutNulls(old), to: withoutNulls(new))
            #expect(withoutNulls(MergePatch.apply(patch, to: withoutNulls(old))) == withoutNulls(new), "seed \(generator.seed)")
        }
        #expect(MergePatch.diff(from: ["a": ["x": 1, "y": 2], "l": [1]], to: ["a": ["x": 1, "y": 3], "l": [1]]) == ["a": ["y": 3]])
    }
}

@Suite struct StrategicMergePatchTests {
    private static let schema: Schema = {
        let text = #"""
            {"type":"object","properties":{
              "name":{"type":"string"},"map":{"type":"object","additionalProperties":{"type":"string"}},
              "simple":{"type":"array","items":{"type":"integer"}},
              "set":{"type":"array","items":{"type":"integer"},"x-kubernetes-patch-strategy":"merge"},
              "list":{"type":"array","x-kubernetes-patch-strategy":"merge","x-kubernetes-patch-merge-key":"name","items":{"type":"object",
                "properties":{"name":{"type":"string"},"value":{"type":"integer"},"other":{"type":"integer"},
                "ports":{"type":"array","x-kubernetes-patch-strategy":"merge","x-kubernetes-patch-merge-key":"port","items":{"type":"object",
                  "properties":{"port":{"type":"integer"},"protocol":{"type":"string"}}}}}}},
              "keep":{"type":"object","x-kubernetes-patch-strategy":"retainKeys","properties":{"a":{"type":"string"},"b":{"type":"string"}}},
              "whole":{"type":"object","x-kubernetes-patch-strategy":"replace","properties":{"a":{"type":"string"},"b":{"type":"string"}}}
            }}
            """#
        return Schema(json: (try? JSON(reading: text)) ?? [:])
    }()

    @Test(arguments: [
        ("adds and changes members", #"{"name":"1","map":{"a":"1"}}"#, #"{"name":"2","map":{"b":"2"}}"#, #"{"name":"2","map":{"a":"1","b":"2"}}"#),
        ("null deletes", #"{"name":"1","map":{"a":"1","b":"2"}}"#, #"{"name":null,"map":{"a":null}}"#, #"{"map":{"b":"2"}}"#),
        ("a null for nothing is nothing", #"{}"#, #"{"name":null,"map":{"a":null}}"#, #"{"map":{}}"#),
        ("an unmarked list is replaced", #"{"simple":[1,2]}"#, #"{"simple":[3]}"#, #"{"simple":[3]}"#),
        ("a set is united", #"{"set":[1,2]}"#, #"{"set":[2,3]}"#, #"{"set":[1,2,3]}"#),
        ("a list is merged by key, what is new comes first", #"{"list":[{"name":"1","value":1},{"name":"2"}]}"#,
            #"{"list":[{"name":"3"},{"name":"1","other":5}]}"#, #"{"list":[{"name":"3"},{"name":"1","value":1,"other":5},{"name":"2"}]}"#),
        ("a list in a list", #"{"list":[{"name":"1","ports":[{"port":80,"protocol":"TCP"}]}]}"#,
            #"{"list":[{"name":"1","ports":[{"port":80,"protocol":"UDP"},{"port":81}]}]}"#,
            #"{"list":[{"name":"1","ports":[{"port":80,"protocol":"UDP"},{"port":81}]}]}"#),
        ("$patch delete in a list", #"{"list":[{"name":"1"},{"name":"2"}]}"#, #"{"list":[{"name":"1","$patch":"delete"}]}"#, #"{"list":[{"name":"2"}]}"#),
        ("$patch replace in a list", #"{"list":[{"name":"1"},{"name":"2"}]}"#, #"{"list":[{"name":"3"},{"$patch":"replace"}]}"#,
            #"{"list":[{"name":"3"}]}"#),
        ("$patch replace in a map", #"{"map":{"a":"1"}}"#, #"{"map":{"b":"2","$patch":"replace"}}"#, #"{"map":{"b":"2"}}"#),
        ("$patch delete in a map", #"{"map":{"a":"1"}}"#, #"{"map":{"$patch":"delete"}}"#, #"{"map":{}}"#),
        ("$patch delete for nothing", #"{"name":"x"}"#, #"{"map":{"$patch":"delete","a":"1"}}"#, #"{"name":"x"}"#),
        ("$deleteFromPrimitiveList", #"{"set":[1,2,3]}"#, #"{"$deleteFromPrimitiveList/set":[2]}"#, #"{"set":[1,3]}"#),
        ("delete and add at once", #"{"set":[1,2,3]}"#, #"{"$deleteFromPrimitiveList/set":[2],"set":[4]}"#, #"{"set":[4,1,3]}"#),
        ("$retainKeys", #"{"keep":{"a":"1","b":"2"}}"#, #"{"keep":{"$retainKeys":["b","c"],"c":"3"}}"#, #"{"keep":{"b":"2","c":"3"}}"#),
        ("strategy replace", #"{"whole":{"a":"1"}}"#, #"{"whole":{"b":"2"}}"#, #"{"whole":{"b":"2"}}"#),
        ("$setElementOrder alone", #"{"list":[{"name":"1"},{"name":"2"},{"name":"3"}]}"#,
            #"{"$setElementOrder/list":[{"name":"3"},{"name":"2"},{"name":"1"}]}"#, #"{"list":[{"name":"3"},{"name":"2"},{"name":"1"}]}"#),
        ("$setElementOrder with changes", #"{"list":[{"name":"1","value":1},{"name":"2"}]}"#,
            #"{"$setElementOrder/list":[{"name":"2"},{"name":"1"},{"name":"3"}],"list":[{"name":"3"},{"name":"1","value":9}]}"#,
            #"{"list":[{"name":"2"},{"name":"1","value":9},{"name":"3"}]}"#),
        ("$setElementOrder leaves the server's own", #"{"list":[{"name":"s"},{"name":"1"},{"name":"2"}]}"#,
            #"{"$setElementOrder/list":[{"name":"2"},{"name":"1"}]}"#, #"{"list":[{"name":"s"},{"name":"2"},{"name":"1"}]}"#),
        ("$setElementOrder of a primitive list", #"{"set":[1,2,3]}"#, #"{"$setElementOrder/set":[3,1,4],"set":[4],"$deleteFromPrimitiveList/set":[2]}"#,
            #"{"set":[3,1,4]}"#),
        ("unknown members are merged as maps", #"{"x":{"a":1,"l":[1]}}"#, #"{"x":{"b":2,"l":[2]}}"#, #"{"x":{"a":1,"b":2,"l":[2]}}"#),
        ("directives do not stay", #"{}"#, #"{"list":[{"name":"1","$patch":"delete"},{"name":"2"}]}"#, #"{"list":[{"name":"2"}]}"#),
    ])
    func applies(_ what: String, _ document: String, _ patch: String, _ expected: String) throws {
        let result = try StrategicMergePatch.apply(JSON(reading: patch), to: JSON(reading: document), schema: Self.schema)
        #expect(try result == JSON(reading: expected), "\(what): \(result.text)")
    }

    @Test(arguments: [
        (#"{"list":[{"value":1}]}"#, "does not contain declared merge key: name"), (#"{"map":{"$patch":"smash"}}"#, "unknown patch type"),
        (#"{"list":[{"name":"1","$patch":"merge"}]}"#, "merging lists cannot yet be specified"),
        (#"{"keep":{"$retainKeys":["a"],"b":"x"}}"#, "retainKeys"), (#"{"$setElementOrder/list":5}"#, "expected"), ("[]", "expected an object"),
    ])
    func refusesBadPatches(_ patch: String, _ problem: String) throws {
        let document: JSON = ["list": [["name": "1"]], "map": ["a": "1"], "keep": ["a": "1"]]
        let error = #expect(throws: APIStatus.self) { try StrategicMergePatch.apply(JSON(reading: patch), to: document, schema: Self.schema) }
        #expect(error?.code == 400)
        #expect(error?.message.contains(problem) == true, "\(error?.message ?? "")")
    }

    @Test func bigListsAreMergedQuickly() throws {
        let old = JSON.array((0..<10_000).map { ["name": .string("n\($0)"), "value": 1] })
        let new = JSON.array((0..<10_000).map { ["name": .string("n\(19_999 - $0)"), "value": 2] })
        let result = try expectFast(.seconds(5)) {
            try StrategicMergePatch.apply(["list": new], to: ["list": old], schema: Self.schema)
        }
        #expect(result["list"].elements.count == 20_000)
    }
}
