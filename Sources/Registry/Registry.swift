public import Catalogue
public import KubeModel
public import Logging
import Synchronization

/// The write side of the API: what create, update, patch and delete do to objects of any kind, as upstream's generic
/// registry does it (k8s.io/apiserver/pkg/registry/generic). Knows nothing of HTTP.
public final class Registry: Sendable {
    public let catalogue: Catalogue
    /// The definitions behind the built-in kinds' schemas.
    public let library: SchemaLibrary
    let logger: Logger
    let events: EventRecorder
    let hooks: AdmissionHooks
    private let table: ServedKinds
    private let rules: [GroupResource: [KindRules]]
    private let clock: TimeSource

    /// - Parameters:
    ///   - rules: rules of kinds by the parts above; they come after the Registry's own.
    ///   - moreRules: rules of further parts, after those.
    ///   - clock: the time, for tests.
    public init(
        catalogue: Catalogue, logger: Logger, rules: [GroupResource: KindRules] = [:], moreRules: [GroupResource: KindRules] = [:],
        clock: TimeSource = .system
    ) throws(APIStatus) {
        self.catalogue = catalogue
        self.logger = logger
        self.clock = clock
        self.rules = CoreRules.all.mapValues { [$0] }.merging(rules.mapValues { [$0] }) { $0 + $1 }.merging(moreRules.mapValues { [$0] }) { $0 + $1 }
        let (kinds, library) = try KindTable.embedded()
        self.library = library
        let table = ServedKinds(KindTable(builtIn: kinds))
        self.table = table
        hooks = AdmissionHooks(catalogue: catalogue, logger: logger) { table.kind(named: $0) }
        events = EventRecorder(catalogue: catalogue, logger: logger)
        CELTimeZones.use(TimeZones.named)
        refreshCustomKinds()
    }

    /// The time of the lab's clock.
    public var now: Timestamp { clock.now }

    // MARK: Kinds

    /// All kinds that are served now.
    public var kinds: [Kind] { table.withLock { $0.kinds } }

    /// Grows whenever `kinds` changes.
    public var generation: Int { table.withLock { $0.generation } }

    public func kind(group: String, version: String, plural: String) -> Kind? {
        table.withLock { $0.kind(group: group, version: version, plural: plural) }
    }

    public func kind(_ resource: GroupResource) -> Kind? { table.withLock { $0.kind(of: resource) } }

    /// The kind that an object's `apiVersion` and `kind` name.
    /// - Throws: 400 where they are missing, 404 where no such kind is served.
    public func kind(of object: JSON) throws(APIStatus) -> Kind {
        guard let apiVersion = object["apiVersion"].stringValue, let name = object["kind"].stringValue, !name.isEmpty else {
            throw .badRequest("Object 'Kind' is missing: every object needs apiVersion and kind")
        }
        let parts = apiVersion.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let (group, version) = parts.count == 2 ? (parts[0], parts[1]) : ("", apiVersion)
        guard let kind = table.withLock({ $0.kind(group: group, version: version, kind: name) }) else {
            throw APIStatus(code: 404, reason: "NotFound", message: "no matches for kind \"\(name)\" in version \"\(apiVersion)\"")
        }
        return kind
    }

    /// Whether a definition stands over a built-in kind, whose objects stay when it goes.
    public func isBuiltIn(_ definition: String) -> Bool {
        table.withLock { $0.isBuiltIn(definition) }
    }

    /// Reads the CustomResourceDefinitions again; called after each write of one.
    func refreshCustomKinds() {
        let definitions = catalogue.list(.customResourceDefinitions).objects
        // One that is being deleted is served until its objects have gone: their finalizers must be taken off.
        let served = definitions.filter { !$0.isBeingDeleted || $0.metadata["finalizers"].elements.contains(.string(DefinitionCleanup.finalizer)) }
        let custom = served.flatMap { KindTable.custom(from: $0.value) }
        table.withLock { $0.setCustom(custom) }
    }

    /// The Registry's own rules of a kind, then those of the parts above.
    func rules(for kind: Kind) -> [KindRules] { rules[kind.resource] ?? [] }

    /// What works but deserves a word to the user who writes it. Writes of the lab's own parts pay nothing for it.
    /// - Parameter subresource: the part that is written; of a status upstream says nothing.
    func remarks(on object: JSON, old: JSON?, _ kind: Kind, subresource: String?, _ options: WriteOptions) -> [String] {
        guard options.origin == .user, subresource == nil || subresource == "scale" else { return [] }
        var remarks = rules(for: kind).flatMap { $0.warnings(object) } + (KindWarnings.all[kind.resource]?(object, old) ?? [])
        if kind.isCustom { remarks += KindWarnings.finalizers(object, old: old) }
        if kind.resource == .customResourceDefinitions, let name = object["metadata"]["name"].stringValue, isBuiltIn(name) {
            remarks.append("\(name) is a kind of this lab: it is served with the lab's own schema, which goes beyond this definition's")
        }
        return remarks
    }

    func context(namespace: String) -> KindRules.Context {
        let table = table
        return KindRules.Context(catalogue: catalogue, namespace: namespace, now: now) { object in
            guard let name = object["kind"].stringValue, let apiVersion = object["apiVersion"].stringValue else { return nil }
            let parts = apiVersion.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
            let (group, version) = parts.count == 2 ? (parts[0], parts[1]) : ("", apiVersion)
            return table.withLock { $0.kind(group: group, version: version, kind: name) }
        }
    }

    // MARK: Events

    /// See `Client.event`.
    func recordEvent(_ object: StoredObject, type: String, reason: String, message: String, source: String, fieldPath: String?) {
        guard let kind = kind(object.key.resource) else { return }
        events.record(
            about: object, kind: kind, type: type, reason: reason, message: message, source: source, fieldPath: fieldPath, at: now)
    }
}
