import Testing

@testable import KubeModel

/// Messages of a table: JSON to bytes and back.
@Suite struct ProtobufSchemaTests {
    private let schema = ProtobufSchema(
        """
        Outer name:string=1 count:int32=2 share:double=3 kind:Kind=4 inner:Inner=5 list:*Inner=6 words:*string=7 numbers:*int32=8 labels:%string=16
        Inner inner:Inner=1 text:string=2
        enum Kind UNKNOWN=0 FIRST=1
        """)

    @Test func whatIsWrittenIsRead() throws {
        let value: JSON = [
            "name": "ü", "count": -3, "share": 0.5, "kind": "FIRST", "inner": ["inner": ["text": "deep"]], "list": [[:], ["text": "x"]],
            "words": ["", "b"], "numbers": [1, 300], "labels": ["k": "v", "empty": ""],
        ]
        #expect(try schema.decode("Outer", schema.encode("Outer", value)) == value)
        #expect(schema.encode("Outer", ["name": "", "count": 0, "kind": "UNKNOWN", "other": 1, "words": []]) == [])
    }

    @Test func theBytesAreProtobufs() throws {
        // Made by protobuf's own library.
        #expect(schema.encode("Outer", ["name": "a", "count": 150, "numbers": [3, 270]]) == [0x0a, 1, 0x61, 0x10, 0x96, 1, 0x42, 3, 3, 0x8e, 2])
        // A list of numbers that is not packed, and a field that the table does not have.
        #expect(try schema.decode("Outer", [0x40, 3, 0x40, 4, 0x78, 1]) == ["numbers": [3, 4]])
        #expect(try schema.decode("Outer", [0x20, 9]) == ["kind": "9"])
    }

    @Test func garbageIsRefused() {
        var deep: [UInt8] = []
        for _ in 0..<100 { deep = [0x0a] + [UInt8(truncatingIfNeeded: deep.count)] + deep }
        for bytes: [UInt8] in [[0xff], [0x0a, 5, 1], [0x0a, 1, 0xff], [0x0d, 0], [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], [0x10], [0x0b]] {
            #expect(throws: ProtobufSchema.Malformed.self) { try schema.decode("Outer", bytes) }
        }
        #expect(throws: ProtobufSchema.Malformed.self) { try schema.decode("Inner", Array(deep.prefix(120))) }
    }
}
