/// An error of the API in the form that clients know: a `v1.Status` with code, reason, message and causes.
/// Thrown anywhere, encoded in one place (upstream: apimachinery/pkg/api/errors).
public struct APIStatus: Error, Sendable, Equatable, CustomStringConvertible {
    /// One field that is wrong.
    public struct Cause: Sendable, Equatable {
        /// Upstream's CauseType, e.g. `FieldValueRequired`.
        public var reason: String
        public var message: String
        /// The path of the field, e.g. `spec.containers[0].name`.
        public var field: String

        public init(reason: String, message: String, field: String) {
            self.reason = reason
            self.message = message
            self.field = field
        }
    }

    /// The HTTP status code.
    public var code: Int
    /// Upstream's StatusReason, e.g. `NotFound`.
    public var reason: String
    public var message: String
    public var causes: [Cause]
    /// Group, resource or kind, and name that the error is about.
    public var group: String
    public var kind: String
    public var name: String
    public var retryAfterSeconds: Int?
    /// What the answer warns of beside the error; no part of the Status.
    public var warnings: [String] = []

    public init(
        code: Int, reason: String, message: String, causes: [Cause] = [], group: String = "", kind: String = "", name: String = "",
        retryAfterSeconds: Int? = nil
    ) {
        self.code = code
        self.reason = reason
        self.message = message
        self.causes = causes
        self.group = group
        self.kind = kind
        self.name = name
        self.retryAfterSeconds = retryAfterSeconds
    }

    public var description: String { message }

    /// The `v1.Status` object.
    public var json: JSON {
        var status: JSON = [
            "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Failure", "message": .string(message), "reason": .string(reason),
        ]
        var details: JSON = [:]
        if !name.isEmpty { details["name"] = .string(name) }
        if !group.isEmpty { details["group"] = .string(group) }
        if !kind.isEmpty { details["kind"] = .string(kind) }
        if !causes.isEmpty {
            details["causes"] = .array(causes.map { ["reason": .string($0.reason), "message": .string($0.message), "field": .string($0.field)] })
        }
        if let retryAfterSeconds { details["retryAfterSeconds"] = JSON(retryAfterSeconds) }
        if !details.members.isEmpty { status["details"] = details }
        status["code"] = JSON(code)
        return status
    }
}

extension APIStatus {
    private static func qualified(_ plural: String, _ group: String) -> String { group.isEmpty ? plural : "\(plural).\(group)" }

    public static func notFound(_ plural: String, group: String, name: String) -> APIStatus {
        APIStatus(
            code: 404, reason: "NotFound", message: "\(qualified(plural, group)) \"\(name)\" not found", group: group, kind: plural, name: name)
    }

    public static func alreadyExists(_ plural: String, group: String, name: String) -> APIStatus {
        APIStatus(
            code: 409, reason: "AlreadyExists", message: "\(qualified(plural, group)) \"\(name)\" already exists", group: group, kind: plural,
            name: name)
    }

    public static func conflict(_ plural: String, group: String, name: String, _ problem: String? = nil) -> APIStatus {
        let why = problem ?? "the object has been modified; please apply your changes to the latest version and try again"
        return APIStatus(
            code: 409, reason: "Conflict", message: "Operation cannot be fulfilled on \(qualified(plural, group)) \"\(name)\": \(why)",
            group: group, kind: plural, name: name)
    }

    /// 422 with a cause a field; the message lists them as upstream's `field.ErrorList` does.
    public static func invalid(kind: String, group: String, name: String, causes: [Cause]) -> APIStatus {
        let lines = causes.map { $0.field.isEmpty ? $0.message : "\($0.field): \($0.message)" }
        let list = lines.count == 1 ? lines[0] : "[\(lines.joined(separator: ", "))]"
        return APIStatus(
            code: 422, reason: "Invalid", message: "\(qualified(kind, group)) \"\(name)\" is invalid: \(list)", causes: causes, group: group,
            kind: kind, name: name)
    }

    public static func badRequest(_ message: String) -> APIStatus { APIStatus(code: 400, reason: "BadRequest", message: message) }

    /// 403. Without a name the message speaks of the kind, without a kind (`""`) of a path.
    public static func forbidden(_ plural: String, group: String, name: String, _ problem: String) -> APIStatus {
        let what = qualified(plural, group)
        let subject = what.isEmpty ? "forbidden" : name.isEmpty ? "\(what) is forbidden" : "\(what) \"\(name)\" is forbidden"
        return APIStatus(code: 403, reason: "Forbidden", message: "\(subject): \(problem)", group: group, kind: plural, name: name)
    }

    /// 401: nobody knows who is asking.
    public static let unauthorized = APIStatus(code: 401, reason: "Unauthorized", message: "Unauthorized")

    public static func methodNotAllowed(_ verb: String) -> APIStatus {
        APIStatus(code: 405, reason: "MethodNotAllowed", message: "the server does not allow this method on the requested resource (\(verb))")
    }

    /// 410: the resourceVersion that a watch or list asked for is older than the change log.
    public static func expired(requested: Int64, oldest: Int64) -> APIStatus {
        APIStatus(code: 410, reason: "Expired", message: "too old resource version: \(requested) (\(oldest))")
    }

    public static func internalError(_ problem: String) -> APIStatus {
        APIStatus(code: 500, reason: "InternalError", message: "Internal error occurred: \(problem)")
    }
}
