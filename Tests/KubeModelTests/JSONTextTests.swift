import KubeModel
import Testing

@Suite struct JSONTextTests {
    @Test func findsAMembersTextWithoutReadingTheRest() throws {
        let object: JSON = [
            "a": "x\"}{,\\", "metadata": ["name": "n", "labels": ["k": "{\"metadata\":1}"], "list": [1, [2, 3], ["x": .null]]], "spec": 7, "last": "end",
        ]
        let bytes = object.encoded()
        for name in ["metadata", "spec", "last", "a"] as [StaticString] {
            let range = try #require(JSONText.member(name, of: bytes))
            #expect(try JSONParser.parse(bytes[range]) == object["\(name)"])
        }
        let range = try #require(JSONText.member("metadata", "labels", "k", of: bytes))
        #expect(try JSONParser.parse(bytes[range]) == "{\"metadata\":1}")
        #expect(JSONText.member("spec", "x", of: bytes) == nil)
        #expect(JSONText.member("name", of: bytes) == nil, "members of members are not members")
        #expect(JSONText.member("metadata", of: JSON.object([:]).encoded()) == nil)
        #expect(JSONText.member("metadata", of: Array("{\"metadata\":{\"x\":".utf8)) != nil, "a cut text is no crash")
    }
}
