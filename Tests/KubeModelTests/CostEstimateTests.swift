import Testing

@testable import KubeModel

/// What rules may cost at worst, by the sizes that a schema names.
@Suite struct CostEstimateTests {
    private func most(_ expression: String, _ schema: JSON) -> UInt64 { CELCostEstimate.most(expression, schema: schema) }

    @Test func loopsCountWithTheirRange() {
        let list: JSON = ["type": "array", "maxItems": 100, "items": ["type": "integer"]]
        let once = most("self.all(x, x > 0)", list)
        #expect((300...600).contains(once))
        #expect(most("self.all(x, self.all(y, x == y))", list) > 100 * 100)
        #expect(most("self.all(x, x > 0)", ["type": "array", "items": ["type": "integer"]]) > 1_000_000)
        // What filter keeps is as long as its range at worst.
        #expect(most("self.filter(x, x > 0).all(y, y > 1)", list) > 2 * once * 9 / 10)
    }

    @Test func searchesCountWithTheString() {
        let object: JSON = ["type": "object", "properties": ["short": ["type": "string", "maxLength": 10], "long": ["type": "string"]]]
        #expect(most("self.short.contains('x')", object) < 10)
        #expect(most("self.long.contains('x')", object) > 300_000)
        #expect(most("self.long == 'x'", object) < 10)
        #expect(most("has(self.long) || has(self.short)", object) == 2)
        #expect(most("(has(self.long) ? 1 : 0) + (has(self.short) ? 1 : 0) <= 1", object) == 4)
    }

    @Test func elementsAreAsManyAsFitIntoARequest() {
        #expect(CELCostEstimate.mostOccurrences(["type": "string", "minLength": 100]) < 31_000)
        #expect(CELCostEstimate.leastSize(["type": "object", "required": ["ab"], "properties": ["ab": ["type": "boolean"], "c": ["type": "string"]]]) == 12)
        #expect(CELCostEstimate.cardinality(of: ["maxItems": 5], above: 4, limit: "maxItems") == 20)
        #expect(CELCostEstimate.cardinality(of: [:], above: 4, limit: "maxItems") == nil)
    }

    @Test func variablesWithDotsAreLookedUpWhole() throws {
        let program = try CELProgram("variables.a + 1 == variables.b.size()", variables: [.init("variables.a", .int), .init("variables.b", .list(.string))])
        #expect(program.used == ["variables.a", "variables.b"])
        let values: [String: CELValue] = ["variables.a": .int(1), "variables.b": .list(.values([.string("x"), .string("y")]))]
        guard case .success(.bool(true)) = program.evaluate(values, limit: 1000).result else { return #expect(Bool(false), "expected true") }
        #expect(throws: CELCompileError.self) { try CELProgram("variables.c", variables: [.init("variables.a", .int)]) }
    }
}
