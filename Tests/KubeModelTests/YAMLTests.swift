@testable import KubeModel
import Testing

@Suite struct YAMLTests {
    @Test(arguments: [
        ("a: 1", #"{"a":1}"#), ("a: 0777", #"{"a":511}"#), ("a: 0o17", #"{"a":15}"#), ("a: 0x1F", #"{"a":31}"#), ("a: 0b11", #"{"a":3}"#),
        ("a: 1_000", #"{"a":1000}"#), ("a: 08", #"{"a":8}"#), ("a: 1e3", #"{"a":1000}"#), ("a: .5", #"{"a":0.5}"#), ("a: 1.", #"{"a":1}"#),
        ("a: -1.5e-3", #"{"a":-0.0015}"#), ("a: yes", #"{"a":true}"#), ("a: Off", #"{"a":false}"#), ("y: n", #"{"true":false}"#),
        ("a: ~", #"{"a":null}"#), ("a:", #"{"a":null}"#), ("a: null", #"{"a":null}"#), ("a: nul", #"{"a":"nul"}"#),
        ("a: 2024-01-02", #"{"a":"2024-01-02"}"#), ("a: 2001-12-14T21:59:43Z", #"{"a":"2001-12-14T21:59:43Z"}"#),
        ("a: 12:30:45", #"{"a":"12:30:45"}"#), ("a: '1'", #"{"a":"1"}"#), ("a: \"yes\"", #"{"a":"yes"}"#), ("a: !!str 1", #"{"a":"1"}"#),
        ("a: !!int \"1\"", #"{"a":1}"#), ("a: !local x", #"{"a":"x"}"#), ("a: !!binary aGk=", #"{"a":"hi"}"#), ("1: a", #"{"1":"a"}"#),
        ("a: +1", #"{"a":1}"#), ("a: 12e03", #"{"a":12000}"#), ("a: 0x", #"{"a":"0x"}"#), ("a: 1.2.3", #"{"a":"1.2.3"}"#),
        ("a: 9223372036854775807", #"{"a":9223372036854775807}"#), ("a: -9223372036854775808", #"{"a":-9223372036854775808}"#),
        ("a: |\n  x\n  y\n", #"{"a":"x\ny\n"}"#), ("a: >-\n  x\n  y\n", #"{"a":"x y"}"#), ("- a\n- [b, {c: d}]", #"["a",["b",{"c":"d"}]]"#),
        ("base: &b {p: 1, q: 2}\nsub:\n  <<: *b\n  q: 3", #"{"base":{"p":1,"q":2},"sub":{"q":3,"p":1}}"#),
        ("a: &x [1]\nb: *x", #"{"a":[1],"b":[1]}"#), ("{\"json\": [1, null, true]}", #"{"json":[1,null,true]}"#),
    ])
    func readsScalarsAsKubernetesDoes(_ text: String, _ expected: String) throws {
        #expect(try YAML.load(text) == [JSON(reading: expected)])
    }

    @Test func readsDocumentsWithTheirLinesAndSkipsEmptyOnes() throws {
        let documents = try YAML.documents("---\na: 1\n---\n# nothing\n---\nb: 2\n...\n---\n")
        #expect(documents.map(\.value) == [["a": 1], ["b": 2]])
        #expect(documents.map(\.line) == [1, 5])
        #expect(try YAML.load("").isEmpty)
    }

    @Test(arguments: [
        ("a: 1\nb: 2\na: 3", 3, "key \"a\" already set in map"), ("a: [1", 2, "did not find expected"), ("a: b: c", 1, "mapping values are not allowed"),
        ("a: *x", 1, "unknown anchor 'x' referenced"), ("a: &a [*a]", 1, "anchor 'a' value contains itself"), ("\ta: 1", 1, "found character"),
        ("? [a]\n: b", 1, "a key must be a scalar"), ("a: .inf", 1, "cannot be a number in JSON"), ("a: \u{1}", 1, "control characters"),
        ("~: 1", 1, "a key must be a scalar"), ("a: {<<: 1}", 1, "map merge requires"), ("a: !!int x", 1, "cannot decode !!int"),
    ])
    func saysOnWhichLineSomethingIsWrong(_ text: String, _ line: Int, _ problem: String) {
        do {
            let value = try YAML.load(text)
            Issue.record("read as \(value)")
        } catch {
            #expect(error.line == line)
            #expect(error.problem.contains(problem), "\(error)")
        }
    }

    @Test func refusesInvalidUTF8() {
        #expect(throws: YAMLError.self) { try YAML.documents(bytes: [0x61, 0x3A, 0x20, 0xFF, 0xFE]) }
    }

    @Test func dumpsAsKubectlDoes() throws {
        let value = try JSON(
            reading: #"""
                {"apiVersion":"v1","metadata":{"name":"x","labels":{},"created":"2024-01-01T00:00:00Z"},
                 "list":[{"a":1,"b":[2,"3"]},[],["x"]],"text":"one\ntwo\n","flag":"true","none":null,"colon":"a: b"}
                """#)
        #expect(
            YAML.dump(value) == """
                apiVersion: v1
                metadata:
                  name: x
                  labels: {}
                  created: "2024-01-01T00:00:00Z"
                list:
                - a: 1
                  b:
                  - 2
                  - "3"
                - []
                - - x
                text: |
                  one
                  two
                flag: "true"
                none: null
                colon: 'a: b'

                """)
    }

    @Test(arguments: JSON.awkwardStrings)
    func anyStringComesBack(_ text: String) throws {
        for value: JSON in [.string(text), ["k": .string(text), "z": 1], [.string(text), "z"], .object([text: "v"]), ["a": ["b": [["c": .string(text)]]]]] {
            let dumped = YAML.dump(value)
            #expect(try YAML.load(dumped) == [value], "\(dumped)")
        }
    }

    @Test func anyValueComesBack() throws {
        var generator = SeededGenerator()
        for _ in 0..<3000 {
            let value = JSON.random(depth: 4, using: &generator)
            let dumped = YAML.dump(value)
            let read = try YAML.load(dumped)
            guard read == [value] else {
                Issue.record("seed \(generator.seed): \(value.text) became\n\(dumped)\nand then \(read.map(\.text))")
                return
            }
        }
    }

    @Test func veryLongKeysComeBack() throws {
        let key = String(repeating: "k", count: 3000)
        for inner: JSON in [1, ["a": 1], [1, 2], "x\ny"] {
            let value: JSON = ["m": .object([key: inner, "b": 2])]
            #expect(try YAML.load(YAML.dump(value)) == [value])
        }
    }

    // CVE-2019-11253 and its kin.
    @Test func stopsAliasBombs() {
        var text = "a: &a [x, x, x, x, x, x, x, x, x]\n"
        for (previous, name) in zip("abcdefghi", "bcdefghij") {
            text += "\(name): &\(name) [" + Array(repeating: "*\(previous)", count: 9).joined(separator: ", ") + "]\n"
        }
        let error = expectFast { #expect(throws: YAMLError.self) { try YAML.load(text) } }
        #expect(error?.problem == "document contains excessive aliasing")
    }

    @Test func stopsNestingBombs() {
        for text in [String(repeating: "[", count: 100_000), String(repeating: "{a: ", count: 100_000), String(repeating: "- ", count: 100_000)] {
            expectFast { _ = #expect(throws: YAMLError.self) { try YAML.load(text) } }
        }
    }

    @Test func stopsBracketsAndDirectivesThatCostTooMuch() {
        let brackets = String(repeating: "[", count: 500) + String(repeating: "1,", count: 1_000_000)
        #expect(expectFast(.seconds(20)) { #expect(throws: YAMLError.self) { try YAML.load(brackets) } }?.problem.contains("brackets") == true)
        let directives = (0..<100_000).map { "%TAG !a\($0)! tag:x\n" }.joined() + "---\na: 1"
        #expect(expectFast { #expect(throws: YAMLError.self) { try YAML.load(directives) } }?.problem == "more than 500 directives")
    }

    @Test func readsJSONAsJSON() throws {
        let documents = try YAML.documents("\n {\"a\": 1.50, \"y\": \"0x10\", \"z\": \"\\/\"}\n")
        #expect(documents.map(\.value) == [["a": 1.5, "y": "0x10", "z": "/"]])
        #expect(documents.map(\.line) == [2])
        #expect(try YAML.load("{a: 1, b: yes}\n---\n{\"c\": 2}") == [["a": 1, "b": true], ["c": 2]])
        #expect(#expect(throws: YAMLError.self) { try YAML.load("{\"a\": 1,\n\"a\": 2}") }?.line == 2)
    }

    @Test func ordinaryAnchorsPass() throws {
        let text = "x: &x {" + (0..<50).map { "k\($0): v" }.joined(separator: ", ") + "}\n" + (0..<200).map { "y\($0): *x\n" }.joined()
        #expect(try YAML.load(text)[0].members.count == 201)
    }

    @Test func readsAndWritesMegabytesQuickly() throws {
        let item = "- name: item\n  values: [1, 2, 3]\n  text: some words that are here\n  map:\n    a: b\n    c: \"d\"\n"
        let text = String(repeating: item, count: 3 * 1024 * 1024 / item.utf8.count)
        let value = try expectFast(.seconds(12), "reading 3 MB in a debug build") { try YAML.load(text) }
        let dumped = expectFast(.seconds(12), "writing 3 MB in a debug build") { YAML.dump(value) }
        #expect(dumped.utf8.count > 2_000_000)
    }
}
