import Catalogue
import KubeModel

/// How each way to change an object changes what its user asks for.
extension Intent {
    /// The intent after an object was put in the place of another. One without a uid was never read from the lab: it is the
    /// user's own manifest, and meant as a whole. (`kubectl replace` puts a resourceVersion into such a one.)
    static func of(put object: JSON, over old: StoredObject, _ kind: Kind) -> JSON {
        if (object["metadata"]["uid"].stringValue ?? "").isEmpty { return of(created: object, kind) }
        let base = base(of: old)
        return completed(merge(stripped(object), old: base, stored: stripped(old.value)), before: base, object, old, kind)
    }

    /// The intent after a patch that made `patched` of what was stored. A merge patch means what it names, even a default's
    /// own value, and so does a JSON patch what it adds. Where kubectl's annotation comes with it, so does the manifest
    /// that the user applied: of this too every field is meant.
    static func of(patch: JSON, _ type: PatchType, patched: JSON, over old: StoredObject, _ kind: Kind) -> JSON {
        let base = base(of: old)
        var meant: JSON?
        switch type {
        case .merge: meant = MergePatch.apply(patch, to: base)
        case .strategic: meant = try? StrategicMergePatch.apply(patch, to: base, schema: kind.schema)
        case .json, .apply: break
        }
        let written = type == .json ? JSONPatch.writtenPaths(of: patch) : []
        var intent = meant.map(stripped) ?? merge(stripped(patched), old: base, stored: without(written, stripped(old.value)))
        if let manifest = manifest(in: patch) { intent = overlay(stripped(manifest), on: intent) }
        return completed(intent, before: base, patched, old, kind)
    }

    /// The intent after a server-side apply that made `merged` of what was stored.
    static func of(applied: JSON, merged: JSON, over old: StoredObject, _ kind: Kind) -> JSON {
        let base = base(of: old)
        let intent = overlay(stripped(applied), on: merge(stripped(merged), old: base, stored: stripped(old.value)))
        return completed(intent, before: base, merged, old, kind)
    }

    // MARK: The object that nobody asked for

    /// The intent so far. Of an object that the server made by itself it is nothing but which object is meant.
    private static func base(of old: StoredObject) -> JSON {
        if var intent = old.intent {
            // An earlier version of the lab left the name out of the intent of what it made by itself.
            if !intent["metadata"].has("name"), !intent["metadata"].has("generateName") { intent["metadata"]["name"] = .string(old.name) }
            return intent
        }
        var identity: JSON = ["metadata": ["name": .string(old.name)]]
        if !old.namespace.isEmpty { identity["metadata"]["namespace"] = .string(old.namespace) }
        return identity
    }

    private static func completed(_ intent: JSON, before: JSON, _ object: JSON, _ old: StoredObject, _ kind: Kind) -> JSON {
        var intent = withoutEmptied(intent, before: before)
        if old.intent == nil { intent = withRequired(intent, stripped(object), kind.schema) }
        if kind.resource == .nodes { intent = withoutSystemTaints(intent) }
        return identified(intent, kind)
    }

    /// A list of taints is one value, so `kubectl taint` sends those back that the node's controller has made. Names below
    /// node.kubernetes.io are its own.
    private static func withoutSystemTaints(_ intent: JSON) -> JSON {
        let taints = intent["spec"]["taints"].elements
        let kept = taints.filter { !($0["key"].stringValue ?? "").hasPrefix("node.kubernetes.io/") }
        if kept.count == taints.count { return intent }
        var intent = intent
        if kept.isEmpty { intent.remove(path: ["spec", "taints"]) } else { intent["spec"]["taints"] = .array(kept) }
        if intent["spec"] == [:] { intent.remove("spec") }
        return intent
    }

    /// A client may leave out what the request's path says already; a manifest may not.
    static func identified(_ intent: JSON, _ kind: Kind) -> JSON {
        if intent.has("apiVersion"), intent.has("kind") { return intent }
        var whole: JSONObject = ["apiVersion": .string(kind.apiVersion), "kind": .string(kind.kind)]
        for (key, value) in intent.members { whole[key] = value }
        return .object(whole)
    }

    /// What the kind requires beside the fields that the user set, so that it is a manifest that can be applied.
    private static func withRequired(_ intent: JSON, _ object: JSON, _ schema: Schema) -> JSON {
        guard case .object = intent, case .object = object else { return intent }
        var whole = intent
        for key in schema.required where !whole.has(key) && object.has(key) { whole[key] = object[key] }
        for (key, member) in intent.members {
            if let child = schema.child(key) { whole[key] = withRequired(member, object[key], child) }
        }
        return whole
    }

    /// Labels, a spec and the like that lost their last member go; an empty one that the user wrote stays. Further inside an
    /// empty object may mean something, such as a selector of everything.
    private static func withoutEmptied(_ intent: JSON, before: JSON) -> JSON {
        func pruned(_ value: JSON, _ before: JSON) -> JSON {
            guard case .object(let members) = value else { return value }
            return .object(members.filter { !($0.value == [:] && !before[$0.key].members.isEmpty) })
        }
        var intent = intent
        if intent.has("metadata") { intent["metadata"] = pruned(intent["metadata"], before["metadata"]) }
        return pruned(intent, before)
    }

    // MARK: What is meant though it changes nothing

    private static func manifest(in patch: JSON) -> JSON? {
        guard let text = patch["metadata"]["annotations"][ObjectMeta.lastApplied].stringValue, let manifest = try? JSONParser.parse(text),
            case .object = manifest
        else { return nil }
        return manifest
    }

    /// Every field of a manifest, and beside them those of the intent. A list whose elements have names is laid over by name.
    private static func overlay(_ manifest: JSON, on intent: JSON) -> JSON {
        switch (manifest, intent) {
        case (.object(let members), .object):
            var result = intent
            for (key, value) in members { result[key] = intent.has(key) ? overlay(value, on: intent[key]) : value }
            return result
        case (.array(let elements), .array(let others)):
            guard let key = mergeKey(of: elements + others) else { return manifest }
            let own = elements.map { element in others.first { $0[key] == element[key] }.map { overlay(element, on: $0) } ?? element }
            return .array(own + others.filter { other in !elements.contains { $0[key] == other[key] } })
        default: return manifest
        }
    }

    /// A value without what stands at some paths: what a patch writes there differs from it then.
    private static func without(_ paths: [[String]], _ value: JSON) -> JSON {
        var value = value
        for path in paths { remove(path[...], from: &value) }
        return value
    }

    private static func remove(_ path: ArraySlice<String>, from value: inout JSON) {
        guard let token = path.first else { return }
        let rest = path.dropFirst()
        if case .array(var elements) = value {
            guard !rest.isEmpty, let index = Int(token), elements.indices.contains(index) else { return }
            remove(rest, from: &elements[index])
            value = .array(elements)
        } else if rest.isEmpty {
            value.remove(token)
        } else if value.has(token) {
            remove(rest, from: &value[token])
        }
    }

    // MARK: Secrets

    /// `stringData` is written only: what is stored is `data`. Each key stands where it still says what is stored.
    static func settled(ofSecret intent: JSON, before: JSON?, data: JSON) -> JSON {
        var texts = intent["stringData"].members
        // A put of what was read does not have it, and does not take it away either.
        for (key, text) in before?["stringData"].members ?? [:] where texts[key] == nil && !intent["data"].has(key) { texts[key] = text }
        if texts.isEmpty { return intent }
        var intent = intent
        for (key, text) in texts {
            if data[key].stringValue == Base64.encode(text.stringValue ?? "") {
                if intent["data"].has(key), intent["data"][key] != data[key] { intent["data"].remove(key) }
            } else {
                texts.removeValue(forKey: key)
                if data.has(key) { intent["data"][key] = data[key] }
            }
        }
        if intent.has("data"), intent["data"] == [:] { intent.remove("data") }
        if texts.isEmpty { intent.remove("stringData") } else { intent["stringData"] = .object(texts) }
        return intent
    }
}
