import KubeModel
import Testing

@Suite struct LabelSelectorTests {
    private static let labels = ["app": "web", "tier": "front", "n": "5", "empty": ""]

    @Test(arguments: [
        ("", true), ("app=web", true), ("app==web", true), ("app=db", false), ("app!=db", true), ("app!=web", false), ("missing!=x", true),
        ("app in (db, web)", true), ("app in (db)", false), ("app notin (db)", true), ("app notin (web,db)", false), ("missing notin (x)", true), ("app", true),
        ("missing", false), ("!missing", true), ("!app", false), ("app=web,tier=front", true), ("app=web,tier=back", false), ("n>4", true), ("n>5", false),
        ("n<6", true), ("app>1", false), ("empty=", true), ("empty=,app", true), ("missing=", false), ("app in (,web)", true), ("empty in ()", true),
        ("in in (a)", false), (" app = web , tier ", true), ("example.com/x notin (a)", true),
    ])
    func selects(_ text: String, _ matches: Bool) throws {
        #expect(try LabelSelector(parsing: text).matches(Self.labels) == matches)
    }

    @Test(arguments: [
        ("a=b=c", "found '=', expected: ',' or 'end of string'"), ("a,", "found '', expected: identifier after ','"), (",a", "found ',', expected: !, identifier, or 'end of string'"),
        ("a in b", "unable to parse requirement: found 'b', expected: '('"), ("a in (b", "found '', expected: ',', or ')'"), ("!a=b", "found '=', expected: ',' or 'end of string'"),
        ("a>x", "the value must be an integer"), ("-a", "name part must consist of"), ("a=-b", "a valid label must be"), ("a ~ b", "expected: in, notin, ="),
        ("a=b c", "found 'c'"), ("=a", "found '=', expected: !, identifier"), ("a in (b c)", "found 'c'"),
    ])
    func refuses(_ text: String, _ problem: String) {
        let error = #expect(throws: APIStatus.self) { try LabelSelector(parsing: text) }
        #expect(error?.code == 400)
        #expect(error?.message.contains(problem) == true, "\(error?.message ?? "")")
    }

    @Test func printsWhatItReads() throws {
        for text in ["a=b", "a!=b", "a in (x,y)", "a notin (x,y),b", "!a,b=c", "a>1", "a="] {
            let selector = try LabelSelector(parsing: text)
            #expect(try LabelSelector(parsing: selector.description) == LabelSelector(requirements: selector.requirements.sorted { $0.key < $1.key }))
        }
    }

    @Test func readsObjects() throws {
        let object: JSON = ["matchLabels": ["app": "web"], "matchExpressions": [["key": "tier", "operator": "In", "values": ["front", "back"]], ["key": "x", "operator": "DoesNotExist"]]]
        #expect(try LabelSelector(object: object).matches(Self.labels))
        #expect(try LabelSelector(object: object).description == "app=web,tier in (back,front),!x")
        #expect(try !LabelSelector(object: .null).matches(Self.labels))
        #expect(try LabelSelector(object: [:]).matches(Self.labels))
    }

    @Test func saysWhatIsWrongWithAnObject() {
        let object: JSON = [
            "matchLabels": ["a b": "x"],
            "matchExpressions": [["key": "a", "operator": "In"], ["key": "a", "operator": "Exists", "values": ["x"]], ["key": "a", "operator": "Is"]],
        ]
        let causes = LabelSelector.problems(in: object, field: "spec.selector")
        #expect(causes.map(\.field) == [
            "spec.selector.matchLabels", "spec.selector.matchExpressions[0].values", "spec.selector.matchExpressions[1].values",
            "spec.selector.matchExpressions[2].operator",
        ])
        #expect(causes[1].message == "Required value: must be specified when `operator` is 'In' or 'NotIn'")
        #expect(causes[3].message == #"Invalid value: "Is": not a valid selector operator"#)
    }

    @Test func hugeSelectorsEndQuickly() {
        let text = "a in (" + Array(repeating: "x", count: 200_000).joined(separator: ",") + ")"
        expectFast(.seconds(5)) { _ = try? LabelSelector(parsing: text) }
        expectFast(.seconds(5)) { _ = try? LabelSelector(parsing: String(repeating: "(", count: 500_000)) }
        expectFast(.seconds(5)) { _ = try? LabelSelector(parsing: String(repeating: "!", count: 500_000)) }
    }
}

@Suite struct FieldSelectorTests {
    private static let pod: JSON = ["metadata": ["name": "x", "namespace": "d"], "status": ["phase": "Running"], "spec": ["n": 3, "s": "a,b=c\\d"]]

    @Test(arguments: [
        ("", true), ("metadata.name=x", true), ("metadata.name==x", true), ("metadata.name=y", false), ("status.phase!=Running", false),
        ("status.phase!=Failed,metadata.namespace=d", true), ("spec.nodeName=", true), ("spec.nodeName!=", false), ("spec.n=3", true),
        (#"spec.s=a\,b\=c\\d"#, true), ("metadata.name=x,", true),
    ])
    func selects(_ text: String, _ matches: Bool) throws {
        let selector = try FieldSelector(parsing: text)
        #expect(selector.matches(Self.pod) == matches)
        #expect(try FieldSelector(parsing: selector.description) == selector)
    }

    @Test(arguments: ["a", "a,b=c", #"a=\x"#, #"a=b\"#, "a=b=c"])
    func refuses(_ text: String) { #expect(#expect(throws: APIStatus.self) { try FieldSelector(parsing: text) }?.code == 400) }

    @Test func givesTheValueThatIsRequired() throws {
        let selector = try FieldSelector(parsing: "metadata.name=x,spec.nodeName!=n")
        #expect(selector.requiredValue(of: "metadata.name") == "x")
        #expect(selector.requiredValue(of: "spec.nodeName") == nil)
    }
}

@Suite struct NamesTests {
    @Test func judgesLabels() {
        for good in ["a", "a-b", "1", "0-9", String(repeating: "a", count: 63)] { #expect(Names.dns1123Label(good).isEmpty, "\(good)") }
        for bad in ["", "-a", "a-", "A", "a_b", "a.b", "é", " a", "a\n", String(repeating: "a", count: 64)] { #expect(!Names.dns1123Label(bad).isEmpty, "\(bad)") }
        #expect(
            Names.dns1123Label("A") == [
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric "
                    + "character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
            ])
    }

    @Test func judgesSubdomains() {
        for good in ["a", "a.b", "example.com", "1.2-3"] { #expect(Names.dns1123Subdomain(good).isEmpty) }
        for bad in ["", ".a", "a.", "a..b", "a.-b", "A.b", String(repeating: "a.", count: 127) + "a"] { #expect(!Names.dns1123Subdomain(bad).isEmpty) }
        #expect(Names.dns1123Subdomain("Random_Example")[0].contains("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'"))
        #expect(Names.dns1035Label("1a").count == 1)
        #expect(Names.dns1035Label("a1").isEmpty)
    }

    @Test func judgesKeysAndValues() {
        for good in ["a", "a/b", "example.com/My_Name.x", "A1"] { #expect(Names.labelKey(good).isEmpty) }
        for bad in ["", "/a", "a/", "a/b/c", "-a", "A.com/x", String(repeating: "a", count: 64)] { #expect(!Names.labelKey(bad).isEmpty) }
        for good in ["", "a", "A_b.c-9"] { #expect(Names.labelValue(good).isEmpty) }
        for bad in ["-a", "a b", "a/b", String(repeating: "a", count: 64)] { #expect(!Names.labelValue(bad).isEmpty) }
        #expect(Names.configMapKey("a.b_c-D").isEmpty && !Names.configMapKey("a/b").isEmpty && !Names.configMapKey("..").isEmpty)
        #expect(Names.environmentVariable("a b").isEmpty && !Names.environmentVariable("a=b").isEmpty)
        #expect(Names.portName("http").isEmpty && !Names.portName("1").isEmpty && !Names.portName("a--b").isEmpty)
        #expect(Names.portNumber(0) == ["must be between 1 and 65535, inclusive"])
    }

    @Test func generatesNamesOfUpstreamsAlphabet() {
        var generator = SeededGenerator()
        var seen: Set<String> = []
        for _ in 0..<200 {
            let name = GenerateName.name(base: String(repeating: "b", count: 80), using: &generator)
            #expect(name.utf8.count == 63)
            #expect(name.dropFirst(58).allSatisfy { "bcdfghjklmnpqrstvwxz2456789".contains($0) })
            seen.insert(name)
        }
        #expect(seen.count > 190)
        #expect(Names.dns1123Label(GenerateName.name(base: "hello-")).isEmpty)
    }
}
