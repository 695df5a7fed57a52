/// JSON Merge Patch (RFC 7386): members of the patch replace those of the document, a null removes one.
public enum MergePatch {
    /// The document after the patch.
    public static func apply(_ patch: JSON, to document: JSON) -> JSON {
        var result = document
        merge(patch, into: &result)
        return result
    }

    private static func merge(_ patch: JSON, into value: inout JSON) {
        guard case .object(let changes) = patch else {
            value = patch
            return
        }
        var members = value.members
        value = .null
        for (key, change) in changes {
            if change.isNull {
                members.removeValue(forKey: key)
            } else if let slot = members.index(forKey: key) {
                merge(change, into: &members.values[slot])
            } else {
                var member = JSON.null
                merge(change, into: &member)
                members[key] = member
            }
        }
        value = .object(members)
    }

    /// The smallest patch that makes `new` out of `old`, except that a member whose new value is null cannot be told from a
    /// removed one (RFC 7386).
    public static func diff(from old: JSON, to new: JSON) -> JSON {
        guard case .object(let before) = old, case .object(let after) = new else { return new }
        var patch = JSONObject()
        for (key, _) in before where after[key] == nil { patch[key] = .null }
        for (key, value) in after {
            guard let previous = before[key] else {
                patch[key] = value
                continue
            }
            if previous == value { continue }
            patch[key] = diff(from: previous, to: value)
        }
        return .object(patch)
    }
}
