/// Lists (k8s.io/apiserver/pkg/cel/library/lists.go and cel-go's ext.Lists).
enum CELListLibrary {
    private static func elements(_ value: CELValue, _ machine: inout CELMachine) throws(CELError) -> [CELValue] {
        guard case .list(let list) = value else { throw .noOverload }
        try machine.charge(list.count)
        return try list.all()
    }

    private static func member(_ name: String, _ more: [CELType] = [], element: CELType, _ result: CELType, _ run: @escaping CELOverload.Run) -> CELOverload {
        CELOverload(name, member: true, [.list(element)] + more, result, run)
    }

    private static let ordered: [CELType] = [.int, .uint, .double, .bool, .duration, .timestamp, .string, .bytes]

    static let all: [CELOverload] = sums + orders + positions + shapes

    private static let sums: [CELOverload] = [
        (CELType.int, CELValue.int(0)), (.uint, .uint(0)), (.double, .double(0)), (.duration, .duration(0)),
    ].map { type, zero in
        member("sum", element: type, type) { (machine, values) throws(CELError) in
            var sum = zero
            for value in try elements(values[0], &machine) { sum = try added(sum, value) }
            return sum
        }
    }

    private static func added(_ left: CELValue, _ right: CELValue) throws(CELError) -> CELValue {
        switch (left, right) {
        case (.int(let a), .int(let b)):
            let (sum, overflow) = a.addingReportingOverflow(b)
            if overflow { throw .integerOverflow }
            return .int(sum)
        case (.uint(let a), .uint(let b)):
            let (sum, overflow) = a.addingReportingOverflow(b)
            if overflow { throw .unsignedOverflow }
            return .uint(sum)
        case (.double(let a), .double(let b)): return .double(a + b)
        case (.duration(let a), .duration(let b)): return .duration(try CELTime.checked(a.addingReportingOverflow(b)))
        // The elements of a list without a schema may be of any type: the first says which.
        case (.int(0), _): return right
        default: throw .noOverload
        }
    }

    private static let orders: [CELOverload] = ordered.flatMap { type in
        [
            member("isSorted", element: type, .bool) { (machine, values) throws(CELError) in
                let list = try elements(values[0], &machine)
                for (before, after) in zip(list, list.dropFirst()) where try (machine.compare(before, after) ?? 1) > 0 { return .bool(false) }
                return .bool(true)
            },
            member("min", element: type, type) { (machine, values) throws(CELError) in
                try extreme(values[0], "min", &machine) { $0 < 0 }
            },
            member("max", element: type, type) { (machine, values) throws(CELError) in
                try extreme(values[0], "max", &machine) { $0 > 0 }
            },
            member("sort", element: type, .list(type)) { (machine, values) throws(CELError) in
                .list(.values(try sorted(elements(values[0], &machine), &machine)))
            },
        ]
    }

    private static func extreme(
        _ list: CELValue, _ name: String, _ machine: inout CELMachine, _ isBetter: (Int) -> Bool
    ) throws(CELError) -> CELValue {
        let list = try elements(list, &machine)
        guard var best = list.first else { throw CELError("\(name) called on empty list") }
        for value in list.dropFirst() where try machine.compare(value, best).map(isBetter) ?? false { best = value }
        return best
    }

    /// Merge sort: the order of cel values may fail, which the library's sort cannot pass on with its type.
    private static func sorted(_ values: [CELValue], _ machine: inout CELMachine) throws(CELError) -> [CELValue] {
        guard values.count > 1 else { return values }
        let left = try sorted(Array(values[..<(values.count / 2)]), &machine)
        let right = try sorted(Array(values[(values.count / 2)...]), &machine)
        var result: [CELValue] = []
        result.reserveCapacity(values.count)
        var (i, j) = (0, 0)
        while i < left.count, j < right.count {
            try machine.charge(1)
            if try (machine.compare(left[i], right[j]) ?? 0) <= 0 {
                result.append(left[i])
                i += 1
            } else {
                result.append(right[j])
                j += 1
            }
        }
        return result + left[i...] + right[j...]
    }

    private static let positions: [CELOverload] = [
        member("indexOf", [CELLibrary.a], element: CELLibrary.a, .int) { (machine, values) throws(CELError) in
            let list = try elements(values[0], &machine)
            for (index, value) in list.enumerated() where try machine.equal(value, values[1]) { return .int(Int64(index)) }
            return .int(-1)
        },
        member("lastIndexOf", [CELLibrary.a], element: CELLibrary.a, .int) { (machine, values) throws(CELError) in
            let list = try elements(values[0], &machine)
            for (index, value) in list.enumerated().reversed() where try machine.equal(value, values[1]) { return .int(Int64(index)) }
            return .int(-1)
        },
    ]

    private static let shapes: [CELOverload] = [
        member("slice", [.int, .int], element: CELLibrary.a, .list(CELLibrary.a)) { (machine, values) throws(CELError) in
            let list = try elements(values[0], &machine)
            guard case .int(let start) = values[1], case .int(let end) = values[2] else { throw .noOverload }
            guard start >= 0, end >= start, end <= list.count else { throw CELError("cannot slice(\(start), \(end)), list is length \(list.count)") }
            return .list(.values(Array(list[Int(start)..<Int(end)])))
        },
        member("reverse", element: CELLibrary.a, .list(CELLibrary.a)) { (machine, values) throws(CELError) in
            .list(.values(try elements(values[0], &machine).reversed()))
        },
        member("distinct", element: CELLibrary.a, .list(CELLibrary.a)) { (machine, values) throws(CELError) in
            var kept: [CELValue] = []
            for value in try elements(values[0], &machine) where try !machine.contains(kept, value) { kept.append(value) }
            return .list(.values(kept))
        },
        member("flatten", element: .list(CELLibrary.a), .list(CELLibrary.a)) { (machine, values) throws(CELError) in
            .list(.values(try flattened(elements(values[0], &machine), depth: 1, &machine)))
        },
        member("flatten", [.int], element: .dyn, .list(.dyn)) { (machine, values) throws(CELError) in
            guard case .int(let depth) = values[1], depth >= 0 else { throw CELError("level must be non-negative") }
            return .list(.values(try flattened(elements(values[0], &machine), depth: depth, &machine)))
        },
        CELOverload("lists.range", [.int], .list(.int)) { (machine, values) throws(CELError) in
            guard case .int(let count) = values[0] else { throw .noOverload }
            try machine.charge(Int(max(count, 0)))
            return .list(.values(count > 0 ? (0..<count).map(CELValue.int) : []))
        },
    ]

    private static func flattened(_ values: [CELValue], depth: Int64, _ machine: inout CELMachine) throws(CELError) -> [CELValue] {
        var result: [CELValue] = []
        for value in values {
            try machine.charge(1)
            if depth > 0, case .list(let inner) = value {
                result += try flattened(elements(.list(inner), &machine), depth: depth - 1, &machine)
            } else {
                result.append(value)
            }
        }
        return result
    }
}

/// Sets on lists (cel-go's ext.Sets).
enum CELSetLibrary {
    private static func set(_ name: String, _ run: @escaping @Sendable ([CELValue], [CELValue], inout CELMachine) throws(CELError) -> Bool) -> CELOverload {
        CELOverload("sets.\(name)", [.list(CELLibrary.a), .list(CELLibrary.a)], .bool) { (machine, values) throws(CELError) in
            guard case .list(let left) = values[0], case .list(let right) = values[1] else { throw .noOverload }
            return .bool(try run(left.all(), right.all(), &machine))
        }
    }

    private static func contains(_ whole: [CELValue], _ part: [CELValue], _ machine: inout CELMachine) throws(CELError) -> Bool {
        for value in part where try !machine.contains(whole, value) { return false }
        return true
    }

    static let all: [CELOverload] = [
        set("contains", contains),
        set("equivalent") { (left, right, machine) throws(CELError) in
            guard try contains(left, right, &machine) else { return false }
            return try contains(right, left, &machine)
        },
        set("intersects") { (left, right, machine) throws(CELError) in
            for value in right where try machine.contains(left, value) { return true }
            return false
        },
    ]
}

/// Values that may be absent (cel.OptionalTypes).
enum CELOptionalLibrary {
    private static let some = CELType.optional(CELLibrary.a)

    private static func isZero(_ value: CELValue) -> Bool {
        switch value {
        case .null: true
        case .bool(let flag): !flag
        case .int(let number): number == 0
        case .uint(let number): number == 0
        case .double(let number): number == 0
        case .string(let text): text.isEmpty
        case .bytes(let bytes): bytes.isEmpty
        case .list(let list): list.count == 0
        case .map(let map): map.count == 0
        case .duration(let nanoseconds): nanoseconds == 0
        case .optional(let inner): inner.isAbsent
        default: false
        }
    }

    static let all: [CELOverload] = [
        CELOverload("optional.of", [CELLibrary.a], some) { (_, values) throws(CELError) in .optional(values[0]) },
        CELOverload("optional.none", [], some) { (_, _) throws(CELError) in .optional(nil) },
        CELOverload("optional.ofNonZeroValue", [CELLibrary.a], some) { (_, values) throws(CELError) in
            .optional(isZero(values[0]) ? nil : values[0])
        },
        CELOverload("hasValue", member: true, [some], .bool) { (_, values) throws(CELError) in
            guard case .optional(let inner) = values[0] else { throw .noOverload }
            return .bool(!inner.isAbsent)
        },
        CELOverload("value", member: true, [some], CELLibrary.a) { (_, values) throws(CELError) in
            guard case .optional(let inner) = values[0] else { throw .noOverload }
            guard let inner else { throw CELError("optional.none() dereference") }
            return inner
        },
        CELOverload("or", member: true, [some, some], some) { (_, values) throws(CELError) in
            guard case .optional(let inner) = values[0] else { throw .noOverload }
            return inner.isAbsent ? values[1] : values[0]
        },
        CELOverload("orValue", member: true, [some, CELLibrary.a], CELLibrary.a) { (_, values) throws(CELError) in
            guard case .optional(let inner) = values[0] else { throw .noOverload }
            return inner ?? values[1]
        },
        CELOverload("first", member: true, [.list(CELLibrary.a)], some) { (_, values) throws(CELError) in
            guard case .list(let list) = values[0] else { throw .noOverload }
            return .optional(list.count == 0 ? nil : try list.element(0))
        },
        CELOverload("last", member: true, [.list(CELLibrary.a)], some) { (_, values) throws(CELError) in
            guard case .list(let list) = values[0] else { throw .noOverload }
            return .optional(list.count == 0 ? nil : try list.element(list.count - 1))
        },
    ]
}

extension CELValue? {
    /// Whether there is no value; `== nil` wants values that compare.
    var isAbsent: Bool { if case .none = self { true } else { false } }
}
