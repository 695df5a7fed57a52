/// Kubernetes' strategic merge patch: like a merge patch, but lists whose schema names a merge key are merged element by
/// element. The rules are those of apimachinery/pkg/util/strategicpatch/patch.go. Where the schema knows nothing of a list, it is
/// replaced.
public enum StrategicMergePatch {
    static let directive = "$patch"
    static let retainKeys = "$retainKeys"
    static let deletePrefix = "$deleteFromPrimitiveList/"
    static let orderPrefix = "$setElementOrder/"

    /// The document after the patch.
    /// - Throws: 400 for a directive that is not understood, a list element without its merge key, or a patch that is no object.
    public static func apply(_ patch: JSON, to document: JSON, schema: Schema?) throws(APIStatus) -> JSON {
        guard case .object(let changes) = patch else {
            throw .badRequest("strategic merge patch: expected an object, found \(patch.typeName)")
        }
        return .object(try mergeMap(document.members, changes, schema))
    }

    private static func mergeMap(_ original: JSONObject, _ patch: JSONObject, _ schema: Schema?) throws(APIStatus) -> JSONObject {
        if let instruction = patch[directive] {
            switch instruction.stringValue {
            case "delete": return [:]
            case "replace":
                var replaced = patch
                replaced.removeValue(forKey: directive)
                return replaced
            case "merge": break
            default: throw .badRequest("unknown patch type: \(instruction.brief); expected delete, merge or replace")
            }
        }
        var result = original
        var patch = patch
        patch.removeValue(forKey: directive)
        try applyRetainKeys(&result, &patch)
        try applyElementOrders(&result, &patch, schema)
        for (key, change) in patch { try mergeMember(key, change, into: &result, schema) }
        return result
    }

    private static func mergeMember(_ key: String, _ change: JSON, into result: inout JSONObject, _ schema: Schema?) throws(APIStatus) {
        if key.hasPrefix(deletePrefix) {
            let name = String(key.dropFirst(deletePrefix.count))
            guard case .array(let unwanted) = change else { throw badType(key, "array", change) }
            guard let list = result[name]?.arrayValue else { return }
            let set = Set(unwanted)
            result[name] = .array(list.filter { !set.contains($0) })
            return
        }
        if change.isNull {
            result.removeValue(forKey: key)
            return
        }
        guard let present = result[key] else {
            if let value = withoutDirectives(change) { result[key] = value }
            return
        }
        let child = schema?.child(key)
        switch (present, change) {
        case (.object(let old), .object(let new)):
            if child?.patchStrategies.contains("replace") == true {
                result[key] = withoutDirectives(change) ?? [:]
            } else {
                result[key] = .object(try mergeMap(old, new, child))
            }
        case (.array(let old), .array(let new)):
            result[key] = .array(try mergeList(old, new, child, field: key))
        default:
            if let value = withoutDirectives(change) { result[key] = value }
        }
    }

    /// `$retainKeys`: of the original, only the named members stay.
    private static func applyRetainKeys(_ result: inout JSONObject, _ patch: inout JSONObject) throws(APIStatus) {
        guard let list = patch.removeValue(forKey: retainKeys) else { return }
        guard case .array(let names) = list else { throw badType(retainKeys, "array", list) }
        let kept = Set(names.compactMap(\.stringValue))
        for (key, value) in patch where !value.isNull && !key.hasPrefix("$") && !kept.contains(key) {
            throw .badRequest("invalid patch format of retainKeys: \(JSON.quoted(key)) is in the patch but not in its \(retainKeys) list")
        }
        result.removeAll { !kept.contains($0.key) }
    }

    static func badType(_ key: String, _ expected: String, _ found: JSON) -> APIStatus {
        .badRequest("strategic merge patch: expected \(key) to be an \(expected), found \(found.typeName)")
    }

    /// A value that is new to the document: no nulls in its objects and no directives; `nil` where it says to delete itself.
    private static func withoutDirectives(_ value: JSON) -> JSON? {
        switch value {
        case .object(let members):
            if members[directive]?.stringValue == "delete" { return nil }
            var kept = JSONObject()
            for (key, member) in members {
                if member.isNull || key == directive || key == retainKeys || key.hasPrefix(deletePrefix) || key.hasPrefix(orderPrefix) { continue }
                if let member = withoutDirectives(member) { kept[key] = member }
            }
            return .object(kept)
        case .array(let elements): return .array(elements.compactMap(withoutDirectives))
        default: return value
        }
    }

    // MARK: Lists

    private static func mergeList(_ original: [JSON], _ patch: [JSON], _ schema: Schema?, field: String) throws(APIStatus) -> [JSON] {
        guard schema?.patchStrategies.contains("merge") == true else { return patch.compactMap(withoutDirectives) }
        guard let sample = original.first ?? patch.first else { return [] }
        guard sample.objectValue != nil else {
            var seen: Set<JSON> = []
            let merged = (original + patch).filter { seen.insert($0).inserted }
            let parts = ElementOrder.partition(merged, by: patch) { $0 }
            return ElementOrder.normalize(patchItems: parts.inList, serverItems: parts.others, patchOrder: patch, serverOrder: original) { $0 }
        }
        guard let key = schema?.patchMergeKey else { throw .badRequest("cannot merge lists without merge key for \(field)") }
        let identity = { (element: JSON) -> JSON in mergeIdentity(element[key]) }
        let (base, changes) = try applyElementDirectives(original, patch, key, field)
        let merged = try mergeElements(base, changes, key, schema?.items)
        let parts = ElementOrder.partition(merged, by: changes, identity)
        return ElementOrder.normalize(
            patchItems: parts.inList, serverItems: parts.others, patchOrder: changes, serverOrder: base, identity)
    }

    /// `$patch` in elements: `delete` removes the element of that key, `replace` empties the list first.
    private static func applyElementDirectives(
        _ original: [JSON], _ patch: [JSON], _ key: String, _ field: String
    ) throws(APIStatus) -> (base: [JSON], changes: [JSON]) {
        var changes: [JSON] = []
        var deleted: Set<JSON> = []
        var replaces = false
        for element in patch {
            guard element.has(directive) else {
                changes.append(element)
                continue
            }
            switch element[directive].stringValue {
            case "delete":
                guard element.has(key) else { throw missing(key, field) }
                deleted.insert(mergeIdentity(element[key]))
            case "replace":
                replaces = true
                // A directive alone says only that; one with content is an element as well.
                if element.has(key) {
                    var content = element
                    content.remove(directive)
                    changes.append(content)
                }
            case "merge": throw .badRequest("merging lists cannot yet be specified in the patch")
            default: throw .badRequest("unknown patch type: \(element[directive].brief); expected delete or replace")
            }
        }
        let base = replaces ? [] : original.filter { !$0.has(key) || !deleted.contains(mergeIdentity($0[key])) }
        return (base, changes)
    }

    private static func mergeElements(_ base: [JSON], _ changes: [JSON], _ key: String, _ items: Schema?) throws(APIStatus) -> [JSON] {
        var merged = base
        var positions: [JSON: Int] = [:]
        for (index, element) in base.enumerated() where element.has(key) {
            let identity = mergeIdentity(element[key])
            if positions[identity] == nil { positions[identity] = index }
        }
        for change in changes {
            guard case .object(let members) = change, members[key] != nil else { throw missing(key, items?.name ?? "the list") }
            let identity = mergeIdentity(change[key])
            if let position = positions[identity] {
                merged[position] = .object(try mergeMap(merged[position].members, members, items))
            } else if let element = withoutDirectives(change) {
                positions[identity] = merged.count
                merged.append(element)
            }
        }
        return merged
    }

    /// Upstream compares the printed forms, so 80 and "80" are the same key.
    static func mergeIdentity(_ value: JSON) -> JSON { value.stringValue == nil ? .string(value.text) : value }

    private static func missing(_ key: String, _ field: String) -> APIStatus {
        .badRequest("map: \(field) does not contain declared merge key: \(key)")
    }

    /// `$setElementOrder/x`: merges the list x and puts it into that order; those lists are then done.
    private static func applyElementOrders(_ result: inout JSONObject, _ patch: inout JSONObject, _ schema: Schema?) throws(APIStatus) {
        for (orderKey, orderValue) in patch where orderKey.hasPrefix(orderPrefix) {
            patch.removeValue(forKey: orderKey)
            let name = String(orderKey.dropFirst(orderPrefix.count))
            guard case .array(let order) = orderValue else { throw badType(orderKey, "array", orderValue) }
            let change = patch[name]
            // A null, or something of another type, is not to be ordered but applied.
            if let change, change.arrayValue == nil { continue }
            let present = result[name]?.arrayValue
            guard present != nil || change != nil else { continue }
            patch.removeValue(forKey: name)
            var merged = present ?? []
            let child = schema?.child(name)
            if present == nil {
                merged = (change?.elements ?? []).compactMap(withoutDirectives)
            } else if let change {
                merged = try mergeList(merged, change.elements, child, field: name)
            }
            let identity: (JSON) -> JSON
            if let key = child?.patchMergeKey, merged.first?.objectValue != nil {
                guard order.allSatisfy({ $0.has(key) }) else { throw missing(key, orderKey) }
                identity = { mergeIdentity($0[key]) }
            } else {
                identity = { $0 }
            }
            let parts = ElementOrder.partition(merged, by: order, identity)
            result[name] = .array(
                ElementOrder.normalize(
                    patchItems: parts.inList, serverItems: parts.others, patchOrder: order, serverOrder: present ?? [], identity))
        }
    }
}

/// The order of a merged list: what the patch names keeps the patch's order, the rest keeps the server's, and the two are
/// interleaved by the server's as far as it goes (upstream: normalizeElementOrder).
enum ElementOrder {
    static func partition(_ list: [JSON], by named: [JSON], _ identity: (JSON) -> JSON) -> (inList: [JSON], others: [JSON]) {
        let names = Set(named.map(identity))
        var inList: [JSON] = []
        var others: [JSON] = []
        for element in list { if names.contains(identity(element)) { inList.append(element) } else { others.append(element) } }
        return (inList, others)
    }

    static func normalize(
        patchItems: [JSON], serverItems: [JSON], patchOrder: [JSON], serverOrder: [JSON], _ identity: (JSON) -> JSON
    ) -> [JSON] {
        let serverRanks = ranks(serverOrder, identity)
        let patched = sorted(patchItems, by: ranks(patchOrder, identity), identity)
        let others = sorted(serverItems, by: serverRanks, identity)
        var result: [JSON] = []
        result.reserveCapacity(patched.count + others.count)
        var left = others[...]
        var right = patched[...]
        while let first = left.first, let second = right.first {
            if let a = serverRanks[identity(first)], let b = serverRanks[identity(second)], a < b {
                result.append(left.removeFirst())
            } else {
                result.append(right.removeFirst())
            }
        }
        return result + left + right
    }

    private static func ranks(_ order: [JSON], _ identity: (JSON) -> JSON) -> [JSON: Int] {
        Dictionary(order.enumerated().map { (identity($0.element), $0.offset) }, uniquingKeysWith: { first, _ in first })
    }

    private static func sorted(_ list: [JSON], by ranks: [JSON: Int], _ identity: (JSON) -> JSON) -> [JSON] {
        list.enumerated()
            .map { (rank: ranks[identity($0.element)] ?? Int.max, offset: $0.offset, element: $0.element) }
            .sorted { ($0.rank, $0.offset) < ($1.rank, $1.offset) }
            .map(\.element)
    }
}
