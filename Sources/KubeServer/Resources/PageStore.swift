import Catalogue
import KubeModel
import Registry
import Synchronization

/// A part of a list.
struct Page: Sendable {
    var objects: [StoredObject]
    let revision: Int64
    /// Where the next part begins; `nil` at the end.
    let next: String?
    /// How many objects are left behind this part; `nil` where the list was filtered, as upstream does not count then.
    let remaining: Int?

    /// The list's `metadata`.
    var metadata: JSON {
        var metadata: JSON = ["resourceVersion": .string(String(revision))]
        if let next { metadata["continue"] = .string(next) }
        if let remaining, next != nil { metadata["remainingItemCount"] = JSON(remaining) }
        return metadata
    }
}

/// The rest of lists that clients read in parts. All parts of a list show one revision: the objects of the first part's
/// moment are kept, which costs little, for they are shared with the catalogue while they do not change.
final class PageStore: Sendable {
    /// What a continue token says.
    struct Token: Equatable {
        let revision: Int64
        /// The last object of the part before.
        let namespace: String
        let name: String
        /// The list that this is a part of.
        let list: UInt64

        var text: String {
            let json: JSON = [
                "v": "kindling/1", "rv": .int(revision), "ns": .string(namespace), "name": .string(name), "list": .string(String(list)),
            ]
            return Base64.encode(json.encoded())
        }

        /// - Throws: 400 for a text that is no token.
        init(parsing text: String) throws(APIStatus) {
            guard let bytes = Base64.decode(text), let json = try? JSONParser.parse(bytes), json["v"] == "kindling/1",
                let revision = json["rv"].intValue, let namespace = json["ns"].stringValue, let name = json["name"].stringValue,
                let list = json["list"].stringValue.flatMap({ UInt64($0) })
            else { throw .badRequest("continue key is not valid: expected the token of an earlier answer") }
            self.init(revision: Int64(revision), namespace: namespace, name: name, list: list)
        }

        init(revision: Int64, namespace: String, name: String, list: UInt64) {
            self.revision = revision
            self.namespace = namespace
            self.name = name
            self.list = list
        }
    }

    private struct Rest {
        let resource: GroupResource
        let namespace: String?
        let objects: [StoredObject]
        let deadline: ContinuousClock.Instant
    }

    private struct State {
        var rests: [UInt64: Rest] = [:]
        var order: [UInt64] = []
    }

    /// How many lists may be under way; the oldest is forgotten first.
    static let capacity = 64
    /// How long the rest of a list is kept (etcd's compaction forgets after five minutes too).
    static let lifetime = Duration.seconds(300)

    private let state = Mutex(State())

    func first(_ objects: [StoredObject], revision: Int64, _ target: Target, _ options: ListOptions) -> Page {
        guard options.limit > 0, objects.count > options.limit else { return Page(objects: objects, revision: revision, next: nil, remaining: nil) }
        let list = UInt64.random(in: .min ... .max)
        let rest = Rest(resource: target.stored.resource, namespace: target.namespace, objects: objects, deadline: .now + Self.lifetime)
        state.withLock { state in
            state.rests[list] = rest
            state.order.append(list)
            let now = ContinuousClock.now
            while let oldest = state.order.first, state.order.count > Self.capacity || state.rests[oldest].map({ $0.deadline < now }) ?? true {
                state.rests[oldest] = nil
                state.order.removeFirst()
            }
        }
        return cut(objects[...], revision: revision, list: list, options)
    }

    /// The part that a token stands for.
    /// - Throws: 410 where the rest of the list was forgotten, with a token for the rest as it is now.
    func next(_ text: String, _ target: Target, _ options: ListOptions) throws(APIStatus) -> Page {
        let token = try Token(parsing: text)
        if let version = options.resourceVersion, version != 0 {
            throw .badRequest("specifying resource version is not allowed when using continue")
        }
        let rest = state.withLock { $0.rests[token.list] }
        guard let rest, rest.resource == target.stored.resource, rest.namespace == target.namespace, rest.deadline > .now else {
            throw APIStatus(
                code: 410, reason: "Expired",
                message: "The provided continue parameter is too old to display a consistent list result. You must start a new list without "
                    + "the continue parameter.")
        }
        let key = ObjectKey(target.stored.resource, namespace: token.namespace, name: token.name)
        let start = rest.objects.partitioningIndex { key < $0.key }
        return cut(rest.objects[start...], revision: token.revision, list: token.list, options)
    }

    private func cut(_ objects: ArraySlice<StoredObject>, revision: Int64, list: UInt64, _ options: ListOptions) -> Page {
        let part = options.limit > 0 ? objects.prefix(options.limit) : objects
        guard let last = part.last, part.count < objects.count else {
            // The list stays until it is too old: a client that lost this answer asks again.
            return Page(objects: Array(part), revision: revision, next: nil, remaining: nil)
        }
        let token = Token(revision: revision, namespace: last.namespace, name: last.name, list: list)
        return Page(
            objects: Array(part), revision: revision, next: token.text, remaining: options.selectsAll ? objects.count - part.count : nil)
    }
}

extension RandomAccessCollection {
    /// The first index whose element satisfies a predicate that is false for a prefix and true for the rest.
    func partitioningIndex(where belongsToRest: (Element) -> Bool) -> Index {
        var low = startIndex
        var length = count
        while length > 0 {
            let half = length / 2
            let middle = index(low, offsetBy: half)
            if belongsToRest(self[middle]) {
                length = half
            } else {
                low = index(after: middle)
                length -= half + 1
            }
        }
        return low
    }
}
