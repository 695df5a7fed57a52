public import Catalogue
public import KubeModel

/// What a kind needs beyond its schema: defaults and checks that depend on several fields or on other objects. Parts
/// above the Registry (Katib, Workloads) hand in the rules of their own kinds.
public struct KindRules: Sendable {
    /// What a rule may look at.
    public struct Context: Sendable {
        public let catalogue: Catalogue
        public let namespace: String
        /// The time of the request.
        public let now: Timestamp
        /// The kind that an object's `apiVersion` and `kind` name; `nil` where none is served.
        public let kind: @Sendable (_ object: JSON) -> Kind?
    }

    /// Fills in what the user left out. `old` is the stored object for an update.
    public var applyDefaults: @Sendable (_ object: inout JSON, _ old: JSON?, _ context: Context) throws -> Void
    /// Finds what is wrong; each cause becomes a line of the 422 Status.
    public var validate: @Sendable (_ object: JSON, _ old: JSON?, _ context: Context) -> [APIStatus.Cause]
    /// Things that work but deserve a word to the user (HTTP `Warning` headers).
    public var warnings: @Sendable (_ object: JSON) -> [String]
    /// Whether `spec.terminationGracePeriodSeconds` delays deletion, as for pods.
    public var deletesGracefully: Bool
    /// Whether the defaults add whole parts to the object, as a mutating webhook does: they get the schema's defaults as
    /// the user's own parts do, or the next update would add these and be taken for a change.
    public var addsParts: Bool

    public init(
        applyDefaults: @escaping @Sendable (inout JSON, JSON?, Context) throws -> Void = { _, _, _ in },
        validate: @escaping @Sendable (JSON, JSON?, Context) -> [APIStatus.Cause] = { _, _, _ in [] },
        warnings: @escaping @Sendable (JSON) -> [String] = { _ in [] }, deletesGracefully: Bool = false,
        addsParts: Bool = false
    ) {
        self.applyDefaults = applyDefaults
        self.validate = validate
        self.warnings = warnings
        self.deletesGracefully = deletesGracefully
        self.addsParts = addsParts
    }
}
