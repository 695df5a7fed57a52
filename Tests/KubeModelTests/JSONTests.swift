import KubeModel
import Testing

@Suite struct JSONTests {
    @Test func anyValueComesBack() throws {
        var generator = SeededGenerator()
        for _ in 0..<2000 {
            let value = JSON.random(depth: 4, using: &generator)
            #expect(try JSONParser.parse(value.text) == value, "seed \(generator.seed)")
        }
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\":}", "01", "1.", "+1", "nul", "\"\\x\"", "\"a", "[1 2]", "{\"a\" 1}", "{a:1}", "\"\t\"", "1e", "--1", "[1]]", "\u{FEFF}1", "\"\\ud800\\u12\"", "1e999",
    ])
    func refusesWhatIsNoJSON(_ text: String) { #expect(throws: JSONSyntaxError.self) { try JSONParser.parse(text) } }

    @Test func readsEscapes() throws {
        #expect(try JSONParser.parse(#""\u00e9\ud83d\ude00\n\/\"""#) == "é😀\n/\"")
        #expect(try JSONParser.parse(#""\ud800x""#) == "\u{FFFD}x")
        #expect(try JSONParser.parse("123456789012345678901234567890").doubleValue == 1.2345678901234568e29)
    }

    @Test func bombsEndQuickly() throws {
        for text in [String(repeating: "[", count: 100_000), String(repeating: "{\"a\":", count: 100_000)] {
            expectFast { _ = #expect(throws: JSONSyntaxError.self) { try JSONParser.parse(text) } }
        }
        let duplicates = "{" + Array(repeating: "\"a\":1", count: 1_000_000).joined(separator: ",") + "}"
        let parsed = try expectFast(.seconds(15), "a million duplicate keys in a debug build") { try JSONParser.parseNoting(duplicates.utf8) }
        #expect(parsed.value == ["a": 1])
        #expect(!parsed.duplicates.isEmpty && parsed.duplicates.count <= 64)
    }

    @Test func membersAreChangedInPlace() {
        var value: JSON = [:]
        value["a"]["b"]["c"] = 1
        #expect(value == ["a": ["b": ["c": 1]]])
        value.remove(path: ["a", "b", "c"])
        value.remove(path: ["a", "x", "c"])
        #expect(value == ["a": ["b": [:]]])
        value["list"] = [1, 2]
        #expect(value["list"][5].isNull && value["list"][1] == 2)
    }
}
