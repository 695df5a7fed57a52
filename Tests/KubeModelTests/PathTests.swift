import KubeModel
import Testing

@Suite struct JSONPathTests {
    // The object and examples of kubernetes.io/docs/reference/kubectl/jsonpath.
    private static let list: JSON = (try? JSON(
        reading: #"""
            {"kind":"List","items":[
              {"kind":"None","metadata":{"name":"127.0.0.1","labels":{"kubernetes.io/hostname":"127.0.0.1"}},"status":{"capacity":{"cpu":"4"},"addresses":[{"type":"LegacyHostIP","address":"127.0.0.1"}]}},
              {"kind":"None","metadata":{"name":"127.0.0.2"},"status":{"capacity":{"cpu":"8"},"n":5,"addresses":[{"type":"LegacyHostIP","address":"127.0.0.2"},{"type":"another","address":"127.0.0.3"}]}}],
             "users":[{"name":"myself","user":{}},{"name":"e2e","user":{"username":"admin","password":"secret"}}]}
            """#)) ?? .null

    @Test(arguments: [
        ("kind is {.kind}", "kind is List"), ("{.kind}", "List"), ("{['kind']}", "List"), (".kind", "List"), ("kind", "List"), ("{..name}", "127.0.0.1 127.0.0.2 myself e2e"),
        ("{.items[*].metadata.name}", "127.0.0.1 127.0.0.2"), ("{.users[0].name}", "myself"), ("{.items[*]['metadata.name', 'status.capacity']}", ""),
        ("{.items[*]['kind', 'metadata']['name']}", "127.0.0.1 127.0.0.2"), ("{.users[?(@.name==\"e2e\")].user.password}", "secret"),
        ("{range .items[*]}[{.metadata.name}, {.status.capacity}] {end}", #"[127.0.0.1, {"cpu":"4"}] [127.0.0.2, {"cpu":"8"}] "#),
        ("{.items[0].metadata.labels.kubernetes\\.io/hostname}", "127.0.0.1"), ("{.items[0].metadata.labels['kubernetes.io/hostname']}", "127.0.0.1"),
        ("{.users[-1].name}", "e2e"), ("{.users[0:1].name}", "myself"), ("{.users[-1:].name}", "e2e"), ("{.users[0:2:2].name}", "myself"), ("{.users[0,1].name}", "myself e2e"),
        ("{range .items[*]}{.metadata.name}{\"\\t\"}{.status.capacity.cpu}{\"\\n\"}{end}", "127.0.0.1\t4\n127.0.0.2\t8\n"),
        ("{.items[?(@.status.n>4)].metadata.name}", "127.0.0.2"), ("{.items[?(@.status.n)].metadata.name}", "127.0.0.2"), ("{.items[?(@.status.n!=5)].metadata.name}", ""),
        ("{range .items[*]}{range .status.addresses[*]}{.address} {end}{end}", "127.0.0.1 127.0.0.2 127.0.0.3 "), ("{$.kind}", "List"), ("{@.kind}", "List"),
        ("{.missing.deeper}", ""), ("{.items[9]}", ""), ("{.users[1].user}", #"{"username":"admin","password":"secret"}"#), ("{.items[*].status.n}", "5"),
        ("{.items[?(@.status.addresses[0].type=='LegacyHostIP')].kind}", "None None"), ("{range .users[*]}{$.kind}{end}", "ListList"),
    ])
    func renders(_ template: String, _ expected: String) throws {
        #expect(try JSONPath(parsing: template).render(Self.list) == expected)
    }

    @Test func givesValuesForColumns() throws {
        #expect(try JSONPath(parsing: ".status.conditions[-1:].type").evaluate(["status": ["conditions": [["type": "A"], ["type": "B"]]]]) == ["B"])
        #expect(try JSONPath(parsing: ".status.conditions[?(@.status==\"True\")].type").evaluate(["status": ["conditions": [["type": "A", "status": "True"]]]]) == ["A"])
        #expect(try JSONPath(parsing: ".spec.x").evaluate(["spec": [:]]) == [])
        let error = #expect(throws: JSONPathError.self) { try JSONPath(parsing: "{.nope}").render([:], allowsMissing: false) }
        #expect(error?.problem == "nope is not found")
    }

    @Test(arguments: ["{", "{.a", "{range .a}x", "{end}", "{.a[}", "{.a[?(@.b=1)]}", "{\"a}", "{.a[?(@.b==)]}", "{.a[0}", "a b", "{foo}"])
    func refuses(_ template: String) { #expect(throws: JSONPathError.self) { try JSONPath(parsing: template) } }

    @Test func hostilePathsEndQuickly() {
        expectFast { _ = #expect(throws: JSONPathError.self) { try JSONPath(parsing: String(repeating: ".a[?(@", count: 50_000)) } }
        var value: JSON = [:]
        for _ in 0..<100 { value = ["a": value, "b": [1, 2, 3]] }
        expectFast(.seconds(5)) { _ = try? JSONPath(parsing: "{..*..*..*..*..*}").evaluate(value) }
    }
}

@Suite struct GJSONTests {
    // The document and examples of tidwall/gjson's SYNTAX.md.
    private static let document: JSON = (try? JSON(
        reading: #"""
            {"name":{"first":"Tom","last":"Anderson"},"age":37,"children":["Sara","Alex","Jack"],"fav.movie":"Deer Hunter",
             "friends":[{"first":"Dale","last":"Murphy","age":44,"nets":["ig","fb","tw"]},{"first":"Roger","last":"Craig","age":68,"nets":["fb","tw"]},
                        {"first":"Jane","last":"Murphy","age":47,"nets":["ig","tw"]}]}
            """#)) ?? .null

    @Test(arguments: [
        ("name.last", #""Anderson""#), ("name.first", #""Tom""#), ("age", "37"), ("children", #"["Sara","Alex","Jack"]"#), ("children.0", #""Sara""#), ("children.1", #""Alex""#),
        ("friends.1", #"{"first":"Roger","last":"Craig","age":68,"nets":["fb","tw"]}"#), ("friends.1.first", #""Roger""#), ("child*.2", #""Jack""#), ("c?ildren.0", #""Sara""#),
        ("fav\\.movie", #""Deer Hunter""#), ("friends.#", "3"), ("friends.#.age", "[44,68,47]"), (#"friends.#(last=="Murphy").first"#, #""Dale""#),
        (#"friends.#(last=="Murphy")#.first"#, #"["Dale","Jane"]"#), ("friends.#(age>45)#.last", #"["Craig","Murphy"]"#), (#"friends.#(first%"D*").last"#, #""Murphy""#),
        (#"friends.#(first!%"D*").last"#, #""Craig""#), (#"friends.#(nets.#(=="fb"))#.first"#, #"["Dale","Roger"]"#), ("friends.#.nets.#", "[3,2,2]"), ("friends|#", "3"),
        (#"friends.#(last="Murphy")#|0"#, #"{"first":"Dale","last":"Murphy","age":44,"nets":["ig","fb","tw"]}"#), (#"friends.#(last="Murphy")#.0"#, "[]"),
        (#"friends.#(last="Murphy")#.first|1"#, #""Jane""#), (#"friends.#(last="Nobody")#"#, "[]"), ("@this.age", "37"), (#"children.#(=="Alex")"#, #""Alex""#), ("friends.#(age<=44).first", #""Dale""#),
        ("[name.first,age,nothing]", #"["Tom",37]"#), ("name.[@this].0.last", #""Anderson""#), (#"name.[@this].#(first=="Tom")#"#, #"[{"first":"Tom","last":"Anderson"}]"#),
        (#"{name.first,age,"the_murphys":friends.#(last="Murphy")#.first}"#, #"{"first":"Tom","age":37,"the_murphys":["Dale","Jane"]}"#),
        (#"friends.#(age>45)#.{age,first}"#, #"[{"age":68,"first":"Roger"},{"age":47,"first":"Jane"}]"#), ("[[age],[name.last]].1.0", #""Anderson""#),
    ])
    func finds(_ path: String, _ expected: String) throws {
        let found = GJSON.get(path, in: Self.document)
        #expect(try found == JSON(reading: expected), "\(found?.text ?? "nil")")
    }

    @Test(arguments: ["nothing", "name.nothing", "children.9", #"friends.#(last=="Nobody")"#, "age.x", "name.#", #"friends.#(last=="Murphy")#|first"#, "children.-1"])
    func findsNothing(_ path: String) { #expect(GJSON.get(path, in: Self.document) == nil) }

    @Test func judgesJobsAsKatibDoes() {
        let success = #"status.conditions.#(type=="Complete")#|#(status=="True")#"#
        let done: JSON = ["status": ["conditions": [["type": "SuccessCriteriaMet", "status": "True"], ["type": "Complete", "status": "True"]]]]
        let failed: JSON = ["status": ["conditions": [["type": "Failed", "status": "True"]]]]
        #expect(GJSON.get(success, in: done)?.elements.count == 1)
        #expect(GJSON.get(success, in: failed) == [])
        #expect(GJSON.get(success, in: ["status": [:]]) == nil)
        // Upstream's example of an Argo workflow.
        let phase = #"status.[@this].#(phase=="Succeeded")#"#
        #expect(GJSON.get(phase, in: ["status": ["phase": "Succeeded", "message": "m"]])?[0]["message"] == "m")
        #expect(GJSON.get(phase, in: ["status": ["phase": "Running"]]) == [])
        #expect(GJSON.get(phase, in: [:]) == nil)
    }

    @Test func hostilePathsEndQuickly() {
        expectFast(.seconds(5)) { _ = GJSON.get(String(repeating: "#(", count: 100_000), in: Self.document) }
        expectFast(.seconds(5)) { _ = GJSON.get(String(repeating: "a.", count: 100_000), in: Self.document) }
        expectFast { #expect(!Wildcard.matches(String(repeating: "a", count: 1000), String(repeating: "*a", count: 100) + "b")) }
    }

    @Test(arguments: [("abc", "a*c", true), ("abc", "a?c", true), ("abc", "*", true), ("", "*", true), ("abc", "ab", false), ("a*c", #"a\*c"#, true), ("abc", #"a\*c"#, false), ("aab", "*ab", true)])
    func matchesWildcards(_ text: String, _ pattern: String, _ matches: Bool) { #expect(Wildcard.matches(text, pattern) == matches) }
}

@Suite struct VariablesTests {
    // third_party/forked/golang/expansion/expand_test.go.
    @Test(arguments: [
        ("$(VAR_A)", "A"), ("___$(VAR_A)___", "___A___"), ("$(VAR_A)$(VAR_B)", "AB"), ("$$(VAR_B)_$(VAR_A)", "$(VAR_B)_A"), ("$$$(VAR_A)", "$A"), ("$$$$(VAR_A)", "$$(VAR_A)"),
        ("$VAR_A", "$VAR_A"), ("${VAR_A}", "${VAR_A}"), ("$(MISSING)", "$(MISSING)"), ("$(VAR_A", "$(VAR_A"), ("f000-$$VAR_A", "f000-$VAR_A"), ("$", "$"), ("a$", "a$"), ("$$", "$"),
        ("$()", "$()"), ("$(VAR_EMPTY)x", "x"), ("$(VAR_REF)", "$(VAR_A)"), ("$$((VAR_A))", "$((VAR_A))"), ("\\$(VAR_A)", "\\A"), ("$(VAR_A)é", "Aé"), ("$)", "$)"), ("foo", "foo"),
    ])
    func expands(_ text: String, _ expected: String) {
        #expect(Variables.expand(text, ["VAR_A": "A", "VAR_B": "B", "VAR_REF": "$(VAR_A)", "VAR_EMPTY": ""]) == expected)
    }
}
