/// The changes of one kind of object from a revision on, each once and in order. Ends when the catalogue closes, or
/// when the reader is so slow that more than `Watch.backlog` changes wait for it: it then lists and watches anew.
public struct Watch: AsyncSequence, Sendable {
    /// How many changes may wait for a slow reader before its watch is cut off.
    public static let backlog = 8192

    public typealias Element = Change
    let stream: AsyncStream<Change>

    public func makeAsyncIterator() -> AsyncStream<Change>.AsyncIterator { stream.makeAsyncIterator() }
}

/// The catalogue's end of one watch.
struct Subscriber: Sendable {
    let namespace: String?
    let continuation: AsyncStream<Change>.Continuation

    func offer(_ change: Change) {
        if let namespace, change.object.key.namespace != namespace { return }
        // Dropping a change would break the promise of a watch: end it instead, its reader starts again from a list.
        if case .dropped = continuation.yield(change) { continuation.finish() }
    }

    func finish() { continuation.finish() }
}
