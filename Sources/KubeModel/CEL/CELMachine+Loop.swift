/// The macros that run over lists and maps.
extension CELMachine {
    mutating func run(_ loop: CELCode.Loop) throws(CELError) -> CELValue {
        let range = try evaluate(loop.range)
        switch loop.kind {
        case .all, .exists: return try quantify(loop, range)
        case .existsOne:
            var count = 0
            try each(loop, range) { (machine, _) throws(CELError) in
                if try machine.truth(loop.body) { count += 1 }
            }
            return .bool(count == 1)
        case .filter:
            var kept: [CELValue] = []
            try each(loop, range) { (machine, value) throws(CELError) in
                if try machine.truth(loop.body) { kept.append(value) }
            }
            return .list(.values(kept))
        case .map, .transformList:
            var made: [CELValue] = []
            try each(loop, range) { (machine, _) throws(CELError) in
                if let condition = loop.condition, try !machine.truth(condition) { return }
                made.append(try machine.evaluate(loop.body))
            }
            return .list(.values(made))
        case .transformMap, .transformMapEntry: return try transform(loop, range)
        }
    }

    private mutating func transform(_ loop: CELCode.Loop, _ range: CELValue) throws(CELError) -> CELValue {
        var made = CELDictionary()
        try each(loop, range) { (machine, _) throws(CELError) in
            if let condition = loop.condition, try !machine.truth(condition) { return }
            let value = try machine.evaluate(loop.body)
            guard loop.kind == .transformMapEntry else {
                return try machine.insert(value, at: machine.slots[loop.slots[0]] ?? .null, into: &made)
            }
            guard case .map(let entry) = value else { throw .noOverload }
            for key in entry.keys { if let inner = try entry.value(key) { try machine.insert(inner, at: key, into: &made) } }
        }
        return .map(.values(made))
    }

    /// `all` and `exists`: as && and || over the elements, errors included.
    private mutating func quantify(_ loop: CELCode.Loop, _ range: CELValue) throws(CELError) -> CELValue {
        let deciding = loop.kind == .exists
        var failure: CELError?
        var isDecided = false
        try each(loop, range, until: { isDecided }) { (machine, _) throws(CELError) in
            do throws(CELError) {
                if try machine.truth(loop.body) == deciding { isDecided = true }
            } catch {
                if error.isCost { throw error }
                failure = failure ?? error
            }
        }
        if isDecided { return .bool(deciding) }
        if let failure { throw failure }
        return .bool(!deciding)
    }

    private mutating func truth(_ code: CELCode) throws(CELError) -> Bool {
        guard case .bool(let flag) = try evaluate(code) else { throw .noOverload }
        return flag
    }

    /// Sets the variables to each element in turn; `value` is the element, or the key of a map.
    private mutating func each(
        _ loop: CELCode.Loop, _ range: CELValue, until isDone: () -> Bool = { false },
        _ body: (inout CELMachine, _ value: CELValue) throws(CELError) -> Void
    ) throws(CELError) {
        switch range {
        case .list(let list):
            for index in 0..<list.count {
                try charge(2)
                let element = try list.element(index)
                if loop.slots.count == 2 { slots[loop.slots[0]] = .int(Int64(index)) }
                slots[loop.slots[loop.slots.count - 1]] = element
                try body(&self, element)
                if isDone() { return }
            }
        case .map(let map):
            for key in map.keys {
                try charge(2)
                slots[loop.slots[0]] = key
                if loop.slots.count == 2 { slots[loop.slots[1]] = try map.value(key) }
                try body(&self, key)
                if isDone() { return }
            }
        default: throw .noOverload
        }
    }
}
