/// All functions that expressions can call: the language's own and Kubernetes' (k8s.io/apiserver/pkg/cel/environment/base.go).
enum CELLibrary {
    static let functions: [String: [CELOverload]] = {
        var table: [String: [CELOverload]] = [:]
        let libraries = [
            CELOperators.all, CELStandard.all, CELTimeLibrary.all, CELStringLibrary.all, CELListLibrary.all, CELRegexLibrary.all,
            CELOptionalLibrary.all, CELSetLibrary.all, CELURLLibrary.all, CELQuantityLibrary.all, CELNetworkLibrary.all, CELFormatLibrary.all,
            CELAuthorizerLibrary.all,
        ]
        for overload in libraries.joined() { table[overload.name, default: []].append(overload) }
        return table
    }()

    static let a = CELType.parameter("A")
    static let b = CELType.parameter("B")
}

/// Operators and what they do with each pair of types; whatever does not fit into the type is an error.
enum CELOperators {
    static let all: [CELOverload] = arithmetic + joins + times + comparisons + lookups + logic

    private static func int(
        _ name: String, _ operation: @escaping @Sendable (Int64, Int64) throws(CELError) -> (partialValue: Int64, overflow: Bool)
    ) -> CELOverload {
        CELOverload(name, [.int, .int], .int) { (_, values) throws(CELError) in
            guard case .int(let left) = values[0], case .int(let right) = values[1] else { throw .noOverload }
            let (value, overflow) = try operation(left, right)
            if overflow { throw .integerOverflow }
            return .int(value)
        }
    }

    private static func uint(
        _ name: String, _ operation: @escaping @Sendable (UInt64, UInt64) throws(CELError) -> (partialValue: UInt64, overflow: Bool)
    ) -> CELOverload {
        CELOverload(name, [.uint, .uint], .uint) { (_, values) throws(CELError) in
            guard case .uint(let left) = values[0], case .uint(let right) = values[1] else { throw .noOverload }
            let (value, overflow) = try operation(left, right)
            if overflow { throw .unsignedOverflow }
            return .uint(value)
        }
    }

    private static func double(_ name: String, _ operation: @escaping @Sendable (Double, Double) -> Double) -> CELOverload {
        CELOverload(name, [.double, .double], .double) { (_, values) throws(CELError) in
            guard case .double(let left) = values[0], case .double(let right) = values[1] else { throw .noOverload }
            return .double(operation(left, right))
        }
    }

    private static let arithmetic: [CELOverload] = [
        int("_+_") { (a, b) in a.addingReportingOverflow(b) }, uint("_+_") { (a, b) in a.addingReportingOverflow(b) }, double("_+_", +),
        int("_-_") { (a, b) in a.subtractingReportingOverflow(b) }, uint("_-_") { (a, b) in a.subtractingReportingOverflow(b) }, double("_-_", -),
        int("_*_") { (a, b) in a.multipliedReportingOverflow(by: b) }, uint("_*_") { (a, b) in a.multipliedReportingOverflow(by: b) },
        double("_*_", *), double("_/_", /),
        int("_/_") { (a, b) throws(CELError) in
            if b == 0 { throw CELError("division by zero") }
            return a.dividedReportingOverflow(by: b)
        },
        uint("_/_") { (a, b) throws(CELError) in
            if b == 0 { throw CELError("division by zero") }
            return (a / b, false)
        },
        int("_%_") { (a, b) throws(CELError) in
            if b == 0 { throw CELError("modulus by zero") }
            return a.remainderReportingOverflow(dividingBy: b)
        },
        uint("_%_") { (a, b) throws(CELError) in
            if b == 0 { throw CELError("modulus by zero") }
            return (a % b, false)
        },
        CELOverload("-_", [.int], .int) { (_, values) throws(CELError) in
            guard case .int(let number) = values[0] else { throw .noOverload }
            if number == .min { throw .integerOverflow }
            return .int(-number)
        },
        CELOverload("-_", [.double], .double) { (_, values) throws(CELError) in
            guard case .double(let number) = values[0] else { throw .noOverload }
            return .double(-number)
        },
    ]

    private static let joins: [CELOverload] = [
        CELOverload("_+_", [.string, .string], .string) { (machine, values) throws(CELError) in
            guard case .string(let left) = values[0], case .string(let right) = values[1] else { throw .noOverload }
            try machine.charge(size: left.utf8.count + right.utf8.count)
            return .string(left + right)
        },
        CELOverload("_+_", [.bytes, .bytes], .bytes) { (machine, values) throws(CELError) in
            guard case .bytes(let left) = values[0], case .bytes(let right) = values[1] else { throw .noOverload }
            try machine.charge(size: left.count + right.count)
            return .bytes(left + right)
        },
        CELOverload("_+_", [.list(CELLibrary.a), .list(CELLibrary.a)], .list(CELLibrary.a)) { (machine, values) throws(CELError) in
            guard case .list(let left) = values[0], case .list(let right) = values[1] else { throw .noOverload }
            try machine.charge(1 + (left.count + right.count) / 4)
            return .list(.values(try CELListMerge.joined(left, right, &machine)))
        },
    ]

    private static let times: [CELOverload] = [
        CELOverload("_+_", [.timestamp, .duration], .timestamp) { (_, values) throws(CELError) in try CELTime.moved(values[0], by: values[1], 1) },
        CELOverload("_+_", [.duration, .timestamp], .timestamp) { (_, values) throws(CELError) in try CELTime.moved(values[1], by: values[0], 1) },
        CELOverload("_-_", [.timestamp, .duration], .timestamp) { (_, values) throws(CELError) in try CELTime.moved(values[0], by: values[1], -1) },
        CELOverload("_-_", [.timestamp, .timestamp], .duration) { (_, values) throws(CELError) in try CELTime.between(values[1], values[0]) },
        CELOverload("_+_", [.duration, .duration], .duration) { (_, values) throws(CELError) in
            guard case .duration(let left) = values[0], case .duration(let right) = values[1] else { throw .noOverload }
            return .duration(try CELTime.checked(left.addingReportingOverflow(right)))
        },
        CELOverload("_-_", [.duration, .duration], .duration) { (_, values) throws(CELError) in
            guard case .duration(let left) = values[0], case .duration(let right) = values[1] else { throw .noOverload }
            return .duration(try CELTime.checked(left.subtractingReportingOverflow(right)))
        },
        CELOverload("-_", [.duration], .duration) { (_, values) throws(CELError) in
            guard case .duration(let duration) = values[0] else { throw .noOverload }
            return .duration(try CELTime.checked(Int64(0).subtractingReportingOverflow(duration)))
        },
    ]

    /// Types whose values have an order. Numbers of different types compare by amount (cel.CrossTypeNumericComparisons).
    private static let comparisons: [CELOverload] = {
        let numbers: [CELType] = [.int, .uint, .double]
        let others: [CELType] = [.bool, .string, .bytes, .timestamp, .duration]
        let pairs = others.map { [$0, $0] } + numbers.flatMap { left in numbers.map { [left, $0] } }
        let tests: [(String, @Sendable (Int) -> Bool)] = [("_<_", { $0 < 0 }), ("_<=_", { $0 <= 0 }), ("_>_", { $0 > 0 }), ("_>=_", { $0 >= 0 })]
        return tests.flatMap { name, test in
            pairs.map { pair in
                CELOverload(name, pair, .bool) { (machine, values) throws(CELError) in
                    .bool(try machine.compare(values[0], values[1]).map(test) ?? false)
                }
            }
        }
    }()

    private static let lookups: [CELOverload] = [
        CELOverload("_[_]", [.list(CELLibrary.a), .int], CELLibrary.a, element), CELOverload("_[_]", [.list(CELLibrary.a), .dyn], CELLibrary.a, element),
        CELOverload("_[_]", [.map(CELLibrary.a, CELLibrary.b), CELLibrary.a], CELLibrary.b) { (_, values) throws(CELError) in
            guard case .map(let map) = values[0] else { throw .noOverload }
            guard let value = try map.value(values[1]) else { throw CELError("no such key: \(CELText.plain(values[1]))") }
            return value
        },
        CELOverload("_[_]", [.optional(.list(CELLibrary.a)), .int], .optional(CELLibrary.a), maybe),
        CELOverload("_[_]", [.optional(.map(CELLibrary.a, CELLibrary.b)), CELLibrary.a], .optional(CELLibrary.b), maybe),
        CELOverload("_[?_]", [.list(CELLibrary.a), .int], .optional(CELLibrary.a), maybe),
        CELOverload("_[?_]", [.map(CELLibrary.a, CELLibrary.b), CELLibrary.a], .optional(CELLibrary.b), maybe),
        CELOverload("_[?_]", [.optional(.list(CELLibrary.a)), .int], .optional(CELLibrary.a), maybe),
        CELOverload("_[?_]", [.optional(.map(CELLibrary.a, CELLibrary.b)), CELLibrary.a], .optional(CELLibrary.b), maybe),
        CELOverload("@in", [CELLibrary.a, .list(CELLibrary.a)], .bool) { (machine, values) throws(CELError) in
            guard case .list(let list) = values[1] else { throw .noOverload }
            for index in 0..<list.count where try machine.equal(values[0], list.element(index)) { return .bool(true) }
            return .bool(false)
        },
        CELOverload("@in", [CELLibrary.a, .map(CELLibrary.a, CELLibrary.b)], .bool) { (_, values) throws(CELError) in
            guard case .map(let map) = values[1] else { throw .noOverload }
            return .bool(try map.value(values[0]) != nil)
        },
    ]

    private static let element: CELOverload.Run = { (_, values) throws(CELError) in
        guard case .list(let list) = values[0] else { throw .noOverload }
        guard let index = CELIndex.of(values[1]) else { throw CELError("unsupported index type '\(values[1].typeName)' in list") }
        guard index >= 0, index < list.count else { throw CELError("index out of bounds: \(index)") }
        return try list.element(index)
    }

    private static let maybe: CELOverload.Run = { (machine, values) throws(CELError) in try machine.selectOptional(values[0], values[1]) }

    private static let logic: [CELOverload] = [
        CELOverload("!_", [.bool], .bool) { (_, values) throws(CELError) in
            guard case .bool(let flag) = values[0] else { throw .noOverload }
            return .bool(!flag)
        },
        CELOverload("_==_", [CELLibrary.a, CELLibrary.a], .bool) { (machine, values) throws(CELError) in
            .bool(try machine.equal(values[0], values[1]))
        },
        CELOverload("_!=_", [CELLibrary.a, CELLibrary.a], .bool) { (machine, values) throws(CELError) in
            .bool(try !machine.equal(values[0], values[1]))
        },
        CELOverload("_?_:_", [.bool, CELLibrary.a, CELLibrary.a], CELLibrary.a) { (_, values) throws(CELError) in
            guard case .bool(let flag) = values[0] else { throw .noOverload }
            return values[flag ? 1 : 2]
        },
    ]
}

/// `+` of lists: sets keep one of each, lists of type map take the right one's elements under the left one's keys.
enum CELListMerge {
    static func joined(_ left: CELList, _ right: CELList, _ machine: inout CELMachine) throws(CELError) -> [CELValue] {
        var values = try left.all()
        switch left {
        case .data(_, let view) where view.schema?.listType == .set:
            for value in try right.all() where try !machine.contains(values, value) { values.append(value) }
        case .data(let elements, let view) where view.schema?.listType == .map:
            guard case .data(let others, _) = right, let schema = view.schema else { return values + (try right.all()) }
            var places: [JSON: Int] = [:]
            for (index, element) in elements.enumerated() {
                places[ListKey.object(element, keys: schema.listMapKeys, items: schema.ownItems)] = index
            }
            for (index, element) in others.enumerated() {
                let value = try right.element(index)
                if let place = places[ListKey.object(element, keys: schema.listMapKeys, items: schema.ownItems)] {
                    values[place] = value
                } else {
                    values.append(value)
                }
            }
        default: values += try right.all()
        }
        return values
    }
}
