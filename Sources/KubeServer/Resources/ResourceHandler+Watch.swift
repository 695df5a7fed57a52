import Catalogue
import KubeModel
import NIOCore
import NIOHTTP1
import Registry

extension ResourceHandler {
    /// Streams the changes of a kind from a revision on.
    /// - Parameter name: the one object that is watched, where the path names one.
    ///
    /// Where the changes after the revision are no longer known, the watch is one ERROR event with a 410.
    func watch(_ target: Target, _ request: Request, name: String?) throws(APIStatus) -> Response {
        let form = try Representation.negotiate(request.headers)
        guard form.encoding == .json else {
            throw APIStatus(code: 406, reason: "NotAcceptable", message: "a watch is answered in \(MediaType.json) only")
        }
        let options = try ListOptions(request.query, target.kind)
        let scope = WatchScope(target: target, name: name, options: options)
        let encoder = EventEncoder(kind: target.kind, form: form, table: form.form == .table ? try tableBuilder(target.kind, form, request) : nil)
        let start: WatchSession.Start
        do throws(APIStatus) {
            start = try begin(scope)
        } catch {
            guard error.code == 410 else { throw error }
            // As upstream's watch cache: what is wrong with a revision that could be read is said by an event of the watch.
            return Response(headers: ["Content-Type": MediaType.json], body: .stream { try await $0(encoder.error(error)) })
        }
        let (catalogue, registry) = (catalogue, registry)
        let interval = bookmarkInterval
        let clock = clock
        return Response(
            headers: ["Content-Type": MediaType.json, "Cache-Control": "no-cache, private"],
            body: .stream { writer in
                let session = WatchSession(scope: scope, start: start, encoder: encoder, catalogue: catalogue, registry: registry, writer: writer, clock: clock)
                try await session.run(bookmarkInterval: interval)
            })
    }

    /// Opens the watch before the response begins, so that what cannot be had is still a proper HTTP error.
    private func begin(_ scope: WatchScope) throws(APIStatus) -> WatchSession.Start {
        let resource = scope.target.stored.resource
        let options = scope.options
        let wanted = options.resourceVersion ?? 0
        // Without a revision, and by upstream's tradition with 0, a watch begins with the objects that are there.
        let sendsInitial = options.sendsInitialEvents ?? (wanted == 0)
        var (initial, revision): ([StoredObject], Int64) = ([], catalogue.revision)
        if sendsInitial { (initial, revision) = catalogue.list(resource, namespace: scope.target.namespace) }
        if wanted > revision {
            // A revision from the future comes from another life of this catalogue: the client has to list anew.
            throw sendsInitial ? Self.tooLarge(wanted, revision) : .expired(requested: wanted, oldest: revision)
        }
        let since = sendsInitial || wanted == 0 ? revision : wanted
        do throws(RevisionExpired) {
            let watch = try catalogue.watch(resource, namespace: scope.target.namespace, since: since)
            return WatchSession.Start(watch: watch, revision: since, initial: initial, marksInitialEnd: options.sendsInitialEvents == true)
        } catch {
            throw .expired(requested: error.requested, oldest: error.oldest)
        }
    }
}

/// Which objects a watch is about.
struct WatchScope: Sendable {
    let target: Target
    let name: String?
    let options: ListOptions

    /// - Parameter registry: brings objects to the schema whose fields are selected.
    func selects(_ object: StoredObject, _ registry: Registry) -> Bool {
        guard name == nil || object.name == name else { return false }
        if options.selectsAll { return true }
        return options.selects((options.fields.isEmpty ? object : registry.read(object, as: target.kind)).value)
    }

    /// What a change means to somebody who sees only the selected objects; `nil` where nothing.
    func event(of change: Change, _ registry: Registry) -> WatchEvent? {
        let isIn = change.kind != .deleted && selects(change.object, registry)
        let wasIn = change.previous.map { selects($0, registry) } ?? false
        switch (wasIn, isIn) {
        case (false, false): return nil
        case (false, true): return WatchEvent(type: .added, object: change.object)
        case (true, true): return WatchEvent(type: .modified, object: change.object)
        case (true, false):
            if change.kind == .deleted { return WatchEvent(type: .deleted, object: change.object) }
            // It left the selection: its last form inside, at the revision of the change.
            return WatchEvent(type: .deleted, object: change.previous ?? change.object, revision: change.revision)
        }
    }
}

/// One line of a watch.
struct WatchEvent: Sendable {
    enum Kind: String, Sendable { case added = "ADDED", modified = "MODIFIED", deleted = "DELETED", bookmark = "BOOKMARK", error = "ERROR" }

    let type: Kind
    var object: StoredObject
    /// The revision to show where it is not the object's own.
    var revision: Int64?

    init(type: Kind, object: StoredObject, revision: Int64? = nil) {
        self.type = type
        self.object = object
        self.revision = revision
    }
}
