/// What changed between two values, field by field (structured-merge-diff, TypedValue.Compare).
struct FieldComparison {
    var added = FieldSet()
    var removed = FieldSet()
    var modified = FieldSet()

    /// What happened to the value as a whole.
    enum Whole { case same, added, removed, modified }

    static func compare(_ old: JSON?, _ new: JSON?, schema: Schema?) -> FieldComparison {
        var comparison = FieldComparison()
        _ = comparison.walk(present(old), present(new), schema)
        return comparison
    }

    /// A null is as good as nothing.
    private static func present(_ value: JSON?) -> JSON? { value?.isNull == true ? nil : value }

    private mutating func walk(_ old: JSON?, _ new: JSON?, _ schema: Schema?) -> Whole {
        let oldShape = old.map { MergeShape($0, schema) }
        let newShape = new.map { MergeShape($0, schema) }
        switch (oldShape, newShape) {
        case (.map(let a)?, .map(let b)?) where !(a.isEmpty && b.isEmpty): walk(members: a, b, schema)
        case (nil, .map(let b)?) where !b.isEmpty: walk(members: [:], b, schema)
        case (.map(let a)?, nil) where !a.isEmpty: walk(members: a, [:], schema)
        case (.list(let a, let keys)?, .list(let b, _)?) where !(a.isEmpty && b.isEmpty): walk(elements: a, b, keys, schema)
        case (nil, .list(let b, let keys)?) where !b.isEmpty: walk(elements: [], b, keys, schema)
        case (.list(let a, let keys)?, nil) where !a.isEmpty: walk(elements: a, [], keys, schema)
        default:
            if let old, let new, old != new {
                // Of another kind altogether: what was below goes, what is below now comes.
                removed = FieldSet.of(old, schema: schema)
                added = FieldSet.of(new, schema: schema)
                return .modified
            }
        }
        if old == nil, new == nil { return .same }
        if old == nil { return .added }
        return new == nil ? .removed : .same
    }

    private mutating func walk(members old: JSONObject, _ new: JSONObject, _ schema: Schema?) {
        for (key, value) in old { descend(.field(key), value, new[key], schema?.child(key)) }
        for (key, value) in new where old[key] == nil { descend(.field(key), nil, value, schema?.child(key)) }
    }

    private mutating func walk(elements old: [JSON], _ new: [JSON], _ keys: [String], _ schema: Schema?) {
        let items = schema?.items
        let before = Self.index(old, keys, items)
        let after = Self.index(new, keys, items)
        for (element, values) in before { descend(element, values, after[element] ?? [], items) }
        for (element, values) in after where before[element] == nil { descend(element, [], values, items) }
    }

    private static func index(_ elements: [JSON], _ keys: [String], _ items: Schema?) -> [FieldPathElement: [JSON]] {
        var index: [FieldPathElement: [JSON]] = [:]
        for item in elements { index[MergeShape.element(item, keys: keys, items: items), default: []].append(item) }
        return index
    }

    /// Elements of one key; several of them are compared as a whole.
    private mutating func descend(_ element: FieldPathElement, _ old: [JSON], _ new: [JSON], _ schema: Schema?) {
        if old.count <= 1, new.count <= 1 {
            descend(element, old.first, new.first, schema)
        } else if old.isEmpty {
            added.members.insert(element)
        } else if new.isEmpty {
            removed.members.insert(element)
        } else if old != new {
            modified.members.insert(element)
        }
    }

    private mutating func descend(_ element: FieldPathElement, _ old: JSON?, _ new: JSON?, _ schema: Schema?) {
        let old = Self.present(old)
        let new = Self.present(new)
        if let old, let new, old == new { return }
        var below = FieldComparison()
        switch below.walk(old, new, schema) {
        case .same: break
        case .added: added.members.insert(element)
        case .removed: removed.members.insert(element)
        case .modified: modified.members.insert(element)
        }
        if !below.added.isEmpty { added.children[element] = below.added }
        if !below.removed.isEmpty { removed.children[element] = below.removed }
        if !below.modified.isEmpty { modified.children[element] = below.modified }
    }
}

/// Merging and pruning of values by field (structured-merge-diff, typed/merge.go and typed/remove.go).
enum FieldMerge {
    /// The live value with the applied one laid over it.
    static func merge(_ live: JSON, _ applied: JSON, schema: Schema?) -> JSON {
        switch (MergeShape(live, schema), MergeShape(applied, schema)) {
        case (.map(let a), .map(let b)):
            var result = a
            for (key, value) in b { result[key] = a[key].map { merge($0, value, schema: schema?.child(key)) } ?? value }
            return .object(result)
        case (.list(let a, let keys), .list(let b, _)): return .array(merge(a, b, keys, schema?.items))
        default: return applied
        }
    }

    /// The applied elements in their order, the others of the live list where they stood.
    private static func merge(_ live: [JSON], _ applied: [JSON], _ keys: [String], _ items: Schema?) -> [JSON] {
        let left = live.map { MergeShape.element($0, keys: keys, items: items) }
        let right = applied.map { MergeShape.element($0, keys: keys, items: items) }
        var counts: [FieldPathElement: Int] = [:]
        var leftItems: [FieldPathElement: JSON] = [:]
        for (element, item) in zip(left, live) {
            counts[element, default: 0] += 1
            // Which of several is meant cannot be told.
            leftItems[element] = counts[element] == 1 ? item : nil
        }
        let inRight = Set(right)
        var shared = right.filter { counts[$0] != nil }[...]
        var merged: Set<FieldPathElement> = []
        var result: [JSON] = []
        var (l, r) = (0, 0)
        func take() {
            let element = right[r]
            merged.insert(element)
            result.append(leftItems[element].map { merge($0, applied[r], schema: items) } ?? applied[r])
            r += 1
            if shared.first == element { shared.removeFirst() }
        }
        while l < left.count || r < right.count {
            if l < left.count, r < right.count {
                if left[l] == right[r] {
                    take()
                    l += 1
                    continue
                }
                if inRight.contains(left[l]), let next = shared.first, next != left[l] {
                    l += 1
                    continue
                }
            }
            if l < left.count {
                if !inRight.contains(left[l]) {
                    result.append(live[l])
                    l += 1
                    continue
                }
                if merged.contains(left[l]) { l += 1 }
            }
            if r < right.count { take() }
        }
        return result
    }

    /// The value without the fields of a set; nil where nothing is left of a map or list.
    static func remove(_ set: FieldSet, from value: JSON, schema: Schema?) -> JSON? {
        switch MergeShape(value, schema) {
        case .leaf: return value
        case .map(let members):
            if members.isEmpty { return value }
            var result = JSONObject()
            for (key, member) in members {
                let element = FieldPathElement.field(key)
                if set.members.contains(element) { continue }
                if let below = set.children[element] {
                    if let rest = remove(below, from: member, schema: schema?.child(key)) { result[key] = rest }
                } else {
                    result[key] = member
                }
            }
            return result.isEmpty ? nil : .object(result)
        case .list(let elements, let keys):
            if elements.isEmpty { return value }
            var result: [JSON] = []
            for item in elements {
                let element = MergeShape.element(item, keys: keys, items: schema?.items)
                if set.members.contains(element) { continue }
                if let below = set.children[element] {
                    if let rest = remove(below, from: item, schema: schema?.items) { result.append(rest) }
                } else {
                    result.append(item)
                }
            }
            return result.isEmpty ? nil : .array(result)
        }
    }

    /// A list of type map in an applied configuration names each key once; the message of upstream, or nil.
    static func duplicateKey(in value: JSON, schema: Schema?, path: String = "") -> String? {
        switch MergeShape(value, schema) {
        case .leaf: return nil
        case .map(let members):
            for (key, member) in members {
                if let found = duplicateKey(in: member, schema: schema?.child(key), path: "\(path).\(key)") { return found }
            }
        case .list(let elements, let keys):
            var seen: Set<FieldPathElement> = []
            for item in elements {
                let element = MergeShape.element(item, keys: keys, items: schema?.items)
                guard seen.insert(element).inserted else { return "\(path): duplicate entries for key \(element)" }
                if let found = duplicateKey(in: item, schema: schema?.items, path: "\(path)\(element)") { return found }
            }
        }
        return nil
    }
}
