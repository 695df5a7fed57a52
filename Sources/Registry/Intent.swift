import KubeModel

/// Keeps what the user asked for, beside what is stored: the same object without defaults and server-made fields, so
/// that an export is what was applied, field for field.
///
/// A whole object (create, put) is taken as it came, except that a put of what was read carries the defaults of that get:
/// a field that the user had not set before and that the put does not change stays out. A patch is applied to the
/// intent as it is to the object.
enum Intent {
    /// The intent of a new object, or of one that is put as a whole.
    static func of(created object: JSON, _ kind: Kind) -> JSON {
        var intent = stripped(object)
        if intent["metadata"].has("generateName"), !(intent["metadata"]["generateName"].stringValue ?? "").isEmpty {
            // The server made the name up: the user asked for any.
            if object["metadata"]["name"].isNull { intent["metadata"].remove("name") }
        }
        return identified(intent, kind)
    }

    /// An object without its status and without what only the server writes.
    static func stripped(_ object: JSON) -> JSON {
        var object = object
        object.remove("status")
        for key in ObjectMeta.serverMade { object.remove(path: ["metadata", key]) }
        object.remove(path: ["metadata", "annotations", ObjectMeta.lastApplied])
        if object["metadata"]["annotations"] == [:] { object["metadata"].remove("annotations") }
        return object
    }

    /// What the user asks for after a change that says only what the object is now.
    /// - Parameters:
    ///   - old: the earlier intent.
    ///   - stored: the object as it was served before the change.
    static func merge(_ new: JSON, old: JSON, stored: JSON) -> JSON {
        switch (new, stored) {
        case (.object(let members), .object):
            var kept = JSONObject()
            for (key, value) in members {
                if old.has(key) {
                    kept[key] = merge(value, old: old[key], stored: stored[key])
                } else if !stored.has(key) || stored[key] != value {
                    kept[key] = stored.has(key) ? merge(value, old: .null, stored: stored[key]) : value
                }
            }
            // A null that the user wrote is dropped when stored; it is still meant as long as nothing took its place.
            for (key, value) in old.members where value.isNull && members[key] == nil { kept[key] = .null }
            return ordered(.object(kept), like: old)
        case (.array(let elements), .array(let storedElements)):
            return .array(mergeLists(elements, old: old.elements, stored: storedElements))
        // What was not changed is as the user wrote it, 0.5Gi and not the 512Mi that is served.
        default: return new == stored && !old.isNull ? old : new
        }
    }

    /// Elements are matched by their name (or other key) where they have one, else by position.
    private static func mergeLists(_ new: [JSON], old: [JSON], stored: [JSON]) -> [JSON] {
        let key = mergeKey(of: new + stored)
        return new.enumerated().compactMap { index, element -> JSON? in
            guard case .object = element else { return element }
            func partner(_ list: [JSON]) -> JSON {
                guard let key else { return index < list.count ? list[index] : .null }
                return list.first { $0[key] == element[key] } ?? .null
            }
            let before = partner(stored)
            if before.isNull { return element }
            let meant = partner(old)
            // The element as a whole came from the server (an added volume, say) and was not touched: nobody meant it.
            if meant.isNull, before == element { return key == nil ? element : nil }
            var merged = merge(element, old: meant, stored: before)
            if let key, merged[key].isNull { merged[key] = element[key] }
            return merged
        }
    }

    static func mergeKey(of elements: [JSON]) -> String? {
        for key in ["name", "mountPath", "containerPort", "port", "key", "devicePath", "ip", "topologyKey"] {
            if !elements.isEmpty, elements.allSatisfy({ !$0[key].isNull }) { return key }
        }
        return nil
    }

    /// Members in the order in which the user wrote them before, new ones behind.
    private static func ordered(_ value: JSON, like model: JSON) -> JSON {
        guard case .object(let members) = value, case .object(let order) = model else { return value }
        var sorted = JSONObject()
        for key in order.keys { if let member = members[key] { sorted[key] = member } }
        for (key, member) in members where sorted[key] == nil { sorted[key] = member }
        return .object(sorted)
    }
}
