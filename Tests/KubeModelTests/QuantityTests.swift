import KubeModel
import Testing

@Suite struct QuantityTests {
    // Among them the examples of apimachinery/pkg/api/resource/quantity.go.
    @Test(arguments: [
        ("0", "0"), ("0n", "0"), ("00", "0"), ("1.5Gi", "1536Mi"), ("1.5", "1500m"), ("0.5", "500m"), ("100m", "100m"), ("1000m", "1"), ("1024", "1024"),
        ("1024Ki", "1Mi"), ("1Ki", "1Ki"), ("1000Ki", "1000Ki"), ("0.5Ki", "512"), ("1k", "1k"), ("1000k", "1M"), ("12e6", "12e6"), ("1e3", "1e3"),
        ("1E3", "1e3"), ("1E", "1E"), ("5000000000", "5G"), ("0.1Mi", "104857600m"), ("-1.5Gi", "-1536Mi"), ("+1", "1"), ("1.000000000001", "1000000001n"),
        ("0.0000000001", "1n"), ("-0.0000000001", "-1n"), ("9223372036854775807", "9223372036854775807"), ("1e100", "9223372036854775807"),
        ("99999999999999999999Ei", "9223372036854775807"), (".5", "500m"), ("1.", "1"), ("123456789n", "123456789n"), ("100Gi", "100Gi"), ("4Ti", "4Ti"),
        ("1e-3", "1e-3"), ("12.345k", "12345"), ("1u", "1u"), ("0.3", "300m"), ("3e0", "3"),
    ])
    func parsesAndPrintsCanonically(_ text: String, _ canonical: String) throws {
        let quantity = try #require(Quantity(parsing: text))
        #expect(quantity.description == canonical)
        let again = try #require(Quantity(parsing: quantity.description))
        #expect(again == quantity)
        #expect(again.description == canonical)
    }

    @Test(arguments: ["", "1.1.1", "+-1", "a", "1 Gi", "1gi", "1K", "Gi", "1e", "1e3.5", ".", "--1", "1Mi5", "0x10", "1e99999999999", "١"])
    func refusesWhatIsNoQuantity(_ text: String) { #expect(Quantity(parsing: text) == nil) }

    @Test func roundsUpToWholeNumbersAndThousandths() throws {
        #expect(Quantity(parsing: "1500m")?.value == 2)
        #expect(Quantity(parsing: "-1500m")?.value == -2)
        #expect(Quantity(parsing: "1u")?.milliValue == 1)
        #expect(Quantity(parsing: "2Gi")?.value == 2 << 30)
        #expect(Quantity(parsing: "250m")?.milliValue == 250)
    }

    @Test func calculatesExactly() throws {
        let sum = try #require(Quantity(parsing: "0.1")) + #require(Quantity(parsing: "0.2"))
        #expect(sum == Quantity(parsing: "300m"))
        #expect(sum.description == "300m")
        #expect(try (#require(Quantity(parsing: "1Gi")) - #require(Quantity(parsing: "512Mi"))).description == "512Mi")
        #expect(try #require(Quantity(parsing: "1Gi")) > #require(Quantity(parsing: "1G")))
        #expect(Quantity(.int(2)) == Quantity(2))
        #expect(Quantity(.double(0.5))?.milliValue == 500)
        #expect(Quantity(.bool(true)) == nil)
    }

    @Test func orderAgreesWithAmount() {
        var generator = SeededGenerator()
        for _ in 0..<500 {
            let (a, b) = (Int.random(in: -5000...5000, using: &generator), Int.random(in: -5000...5000, using: &generator))
            #expect((Quantity(milli: a) < Quantity(milli: b)) == (a < b), "seed \(generator.seed)")
            #expect(Quantity(parsing: Quantity(milli: a).description)?.milliValue == a, "seed \(generator.seed)")
        }
    }
}

@Suite struct CanonicalQuantityTests {
    @Test func onlyWhatTheSchemaCallsAQuantityIsRewritten() {
        let quantity: JSON = ["type": "string", "format": "quantity"]
        let schema = Schema(json: [
            "properties": [
                "cpu": quantity, "list": ["type": "array", "items": quantity], "map": ["type": "object", "additionalProperties": quantity],
                "text": ["type": "string"], "number": ["type": "number"],
            ]
        ])
        var value: JSON = [
            "cpu": 0.1, "list": ["1.5Gi", 2], "map": ["a": "1000m", "b": "no quantity", "c": .null], "text": "0.5", "number": 0.5,
        ]
        schema.canonicalizeQuantities(&value)
        #expect(
            value == [
                "cpu": "100m", "list": ["1536Mi", "2"], "map": ["a": "1", "b": "no quantity", "c": .null], "text": "0.5", "number": 0.5,
            ])
    }
}
