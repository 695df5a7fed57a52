/// JSON Patch (RFC 6902). Hostile patches end early: upstream's limits on operations and on what `copy` may add hold, and so do
/// a limit on nesting and one on the work of moving elements about (a document of 3 MB, shifted 10,000 times, takes minutes).
public enum JSONPatch {
    /// Upstream: maxJSONPatchOperations in apiserver/pkg/endpoints/handlers/patch.go.
    public static let operationLimit = 10_000
    /// How many bytes all `copy` operations of a patch may add (upstream: the limit of a request's body).
    public static let copyLimit = 3 * 1024 * 1024
    private static let workLimit = 20_000_000

    /// The document after all operations, or an error and no change.
    /// - Throws: 400 for what is no JSON patch, 413 beyond a limit, 422 for an operation that does not apply.
    public static func apply(_ patch: JSON, to document: JSON) throws(APIStatus) -> JSON {
        guard case .array(let operations) = patch else {
            throw .badRequest("JSON patch: expected an array of operations, found \(patch.typeName)")
        }
        guard operations.count <= operationLimit else {
            throw tooLarge("The allowed maximum operations in a JSON patch is \(operationLimit), got \(operations.count)")
        }
        var run = Run(document: document)
        for (index, operation) in operations.enumerated() { try run.perform(operation, index) }
        return run.document
    }

    private static func tooLarge(_ message: String) -> APIStatus {
        APIStatus(code: 413, reason: "RequestEntityTooLarge", message: "Request entity is too large: \(message)")
    }

    private struct Run {
        var document: JSON
        private var copied = 0
        private var work = 0

        init(document: JSON) { self.document = document }

        mutating func perform(_ operation: JSON, _ index: Int) throws(APIStatus) {
            guard let name = operation["op"].stringValue else {
                throw .badRequest("JSON patch: operation \(index) has no \"op\"")
            }
            let path = try pointer(operation, "path", index)
            switch name {
            case "add": try add(try value(operation, index), path, index)
            case "replace": try replace(path, with: try value(operation, index), index)
            case "remove": _ = try remove(path, index)
            case "test": try test(path, try value(operation, index), index)
            case "move":
                let from = try pointer(operation, "from", index)
                guard !from.isPrefix(of: path) else { throw failed(index, "cannot move a value into itself") }
                guard from.tokens != path.tokens else {
                    _ = try read(from, index)
                    return
                }
                try add(try remove(from, index), path, index)
            case "copy":
                let source = try read(try pointer(operation, "from", index), index)
                copied += source.encoded().count
                guard copied <= JSONPatch.copyLimit else {
                    throw JSONPatch.tooLarge(
                        "unable to complete the copy, the accumulated size increase of copy operations is \(copied), exceeding the limit "
                            + "\(JSONPatch.copyLimit)")
                }
                try add(source, path, index)
            default: throw .badRequest("JSON patch: unexpected kind of operation \(index): \(JSON.quoted(name))")
            }
        }

        private func pointer(_ operation: JSON, _ member: String, _ index: Int) throws(APIStatus) -> JSONPointer {
            guard let text = operation[member].stringValue else {
                throw .badRequest("JSON patch: operation \(index) has no \(JSON.quoted(member))")
            }
            return try JSONPointer(text)
        }

        private func value(_ operation: JSON, _ index: Int) throws(APIStatus) -> JSON {
            guard operation.has("value") else { throw .badRequest("JSON patch: operation \(index) has no \"value\"") }
            return operation["value"]
        }

        private func failed(_ index: Int, _ problem: String) -> APIStatus {
            let message = "the server rejected our request due to an error in our request: JSON patch: operation \(index): \(problem)"
            return APIStatus(code: 422, reason: "Invalid", message: message)
        }

        private func read(_ path: JSONPointer, _ index: Int) throws(APIStatus) -> JSON {
            var value = document
            for token in path.tokens {
                guard let next = child(of: value, token) else { throw failed(index, "no value at \(JSON.quoted(token)) of the path") }
                value = next
            }
            return value
        }

        private func child(of value: JSON, _ token: String) -> JSON? {
            switch value {
            case .object(let members): return members[token]
            case .array(let elements):
                guard let position = JSONPatch.position(token), position < elements.count else { return nil }
                return elements[position]
            default: return nil
            }
        }

        private mutating func test(_ path: JSONPointer, _ expected: JSON, _ index: Int) throws(APIStatus) {
            // A null equals an absent member, as in upstream's library.
            let found = (try? read(path, index)) ?? .null
            try spend(expected.extent.values)
            guard found == expected else {
                // Upstream's words too hold neither value: they may be a Secret's.
                throw failed(index, "testing value /\(path.tokens.joined(separator: "/")) failed: test failed")
            }
        }

        private mutating func add(_ value: JSON, _ path: JSONPointer, _ index: Int) throws(APIStatus) {
            try checkDepth(value, path, index)
            try edit(path, index) { container, token, cost in
                if container.withMembers({ $0[token] = value }) != nil { return nil }
                let added = container.withElements { elements -> Bool in
                    let position = token == "-" ? elements.count : JSONPatch.position(token)
                    guard let position, position <= elements.count else { return false }
                    cost = elements.count - position
                    elements.insert(value, at: position)
                    return true
                }
                guard let added else { return "cannot add a member to a value of type \(container.typeName)" }
                return added ? nil : "index \(token) is out of the list's bounds"
            } root: { root in
                root = value
            }
        }

        private mutating func replace(_ path: JSONPointer, with value: JSON, _ index: Int) throws(APIStatus) {
            try checkDepth(value, path, index)
            try edit(path, index) { container, token, _ in
                let problem = "replace operation does not apply: no value at \(JSON.quoted(token))"
                guard container.has(token) || container.arrayValue != nil else { return problem }
                if container.withMembers({ $0[token] = value }) != nil { return nil }
                let replaced = container.withElements { elements -> Bool in
                    guard let position = JSONPatch.position(token), position < elements.count else { return false }
                    elements[position] = value
                    return true
                }
                return replaced == true ? nil : problem
            } root: { root in
                root = value
            }
        }

        private mutating func remove(_ path: JSONPointer, _ index: Int) throws(APIStatus) -> JSON {
            var removed: JSON?
            try edit(path, index) { container, token, cost in
                removed = container.withMembers { members in
                    cost = members.count
                    return members.removeValue(forKey: token)
                } ?? container.withElements { elements in
                    guard let position = JSONPatch.position(token), position < elements.count else { return nil }
                    cost = elements.count - position
                    return elements.remove(at: position)
                } ?? nil
                return removed == nil ? "remove operation does not apply: no value at \(JSON.quoted(token))" : nil
            } root: { root in
                removed = root
                root = .null
            }
            return removed ?? .null
        }

        /// Changes the container that a path leads to, in place; the closure says what is wrong, if anything.
        private mutating func edit(
            _ path: JSONPointer, _ index: Int, _ change: (inout JSON, String, inout Int) -> String?, root: (inout JSON) -> Void
        ) throws(APIStatus) {
            guard let last = path.tokens.last else {
                root(&document)
                return
            }
            var cost = path.tokens.count
            let problem = JSONPatch.descend(into: &document, path.tokens.dropLast()) { change(&$0, last, &cost) }
            if let problem { throw failed(index, problem) }
            try spend(cost)
        }

        private mutating func checkDepth(_ value: JSON, _ path: JSONPointer, _ index: Int) throws(APIStatus) {
            let extent = value.extent
            try spend(extent.values)
            guard path.tokens.count + extent.depth <= JSONParser.depthLimit else {
                throw failed(index, "the document would be nested deeper than \(JSONParser.depthLimit) levels")
            }
        }

        private mutating func spend(_ cost: Int) throws(APIStatus) {
            work += cost
            guard work <= JSONPatch.workLimit else { throw JSONPatch.tooLarge("the JSON patch moves too many values about") }
        }
    }

    /// An index as RFC 6901 allows it: digits without a leading zero.
    private static func position(_ token: String) -> Int? {
        guard !token.isEmpty, token.utf8.allSatisfy({ (0x30...0x39).contains($0) }), token == "0" || !token.hasPrefix("0") else { return nil }
        return Int(token)
    }

    private static func descend(into value: inout JSON, _ tokens: ArraySlice<String>, _ change: (inout JSON) -> String?) -> String? {
        guard let token = tokens.first else { return change(&value) }
        let missing = "no value at \(JSON.quoted(token)) of the path"
        let inMember = value.withMembers { members -> String? in
            guard let slot = members.index(forKey: token) else { return missing }
            return descend(into: &members.values[slot], tokens.dropFirst(), change)
        }
        if let inMember { return inMember }
        let inElement = value.withElements { elements -> String? in
            guard let slot = position(token), slot < elements.count else { return missing }
            return descend(into: &elements[slot], tokens.dropFirst(), change)
        }
        return inElement ?? "a value of type \(value.typeName) has no \(JSON.quoted(token))"
    }
}
