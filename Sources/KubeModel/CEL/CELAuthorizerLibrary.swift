/// What an expression asks of `authorizer`.
public struct CELAccessQuestion: Sendable, Equatable {
    /// The ServiceAccount that is asked about; `nil` for who sent the request.
    public var account: (namespace: String, name: String)?
    public var verb = ""
    public var group = ""
    public var resource = ""
    public var subresource = ""
    public var namespace = ""
    public var name = ""
    /// Of a question about no resource, e.g. `/healthz`.
    public var path: String?

    public init() {}

    public static func == (left: CELAccessQuestion, right: CELAccessQuestion) -> Bool {
        left.account?.namespace == right.account?.namespace && left.account?.name == right.account?.name && left.verb == right.verb
            && left.group == right.group && left.resource == right.resource && left.subresource == right.subresource
            && left.namespace == right.namespace && left.name == right.name && left.path == right.path
    }
}

/// What the answer is.
public struct CELAccessAnswer: Sendable, Equatable {
    public let isAllowed: Bool
    public let reason: String

    public init(isAllowed: Bool, reason: String = "") {
        self.isAllowed = isAllowed
        self.reason = reason
    }
}

/// The value of `authorizer` and what is made of it on the way to an answer (k8s.io/apiserver/pkg/cel/library/authz.go).
public struct CELAuthorizer: Sendable {
    enum Stage: String { case authorizer = "Authorizer", path = "PathCheck", group = "GroupCheck", resource = "ResourceCheck" }

    var stage: Stage = .authorizer
    var question = CELAccessQuestion()
    let ask: @Sendable (CELAccessQuestion) -> CELAccessAnswer

    public init(ask: @escaping @Sendable (CELAccessQuestion) -> CELAccessAnswer) { self.ask = ask }

    /// `authorizer.requestResource`: a check of one resource, without the verb.
    public func check(_ question: CELAccessQuestion) -> CELAuthorizer {
        var check = self
        check.stage = .resource
        check.question = question
        return check
    }

    public static let type = CELType.opaque("kubernetes.authorization.Authorizer")
    public static let checkType = CELType.opaque("kubernetes.authorization.ResourceCheck")
    var typeName: String { "kubernetes.authorization.\(stage.rawValue)" }
}

enum CELAuthorizerLibrary {
    private static let path = CELType.opaque("kubernetes.authorization.PathCheck")
    private static let group = CELType.opaque("kubernetes.authorization.GroupCheck")
    private static let decision = CELType.opaque("kubernetes.authorization.Decision")
    /// Two questions fit into one expression.
    private static let questionCost = 350_000

    /// A step that takes one text.
    private static func step(
        _ name: String, _ own: CELType, _ result: CELType, _ stage: CELAuthorizer.Stage, mayBeEmpty: Bool = true,
        _ set: @escaping @Sendable (inout CELAccessQuestion, String) -> Void
    ) -> CELOverload {
        CELOverload(name, member: true, [own, .string], result) { (_, values) throws(CELError) in
            guard case .authorizer(var authorizer) = values[0], case .string(let text) = values[1] else { throw .noOverload }
            if !mayBeEmpty, text.allSatisfy(\.isWhitespace) { throw CELError("\(name) must not be empty") }
            authorizer.stage = stage
            set(&authorizer.question, text)
            return .authorizer(authorizer)
        }
    }

    private static func check(_ own: CELType) -> CELOverload {
        CELOverload("check", member: true, [own, .string], decision) { (machine, values) throws(CELError) in
            guard case .authorizer(let authorizer) = values[0], case .string(let verb) = values[1] else { throw .noOverload }
            try machine.charge(questionCost)
            var question = authorizer.question
            question.verb = verb
            return .decision(authorizer.ask(question))
        }
    }

    private static func part(_ name: String, _ type: CELType, _ read: @escaping @Sendable (CELAccessAnswer) -> CELValue) -> CELOverload {
        CELOverload(name, member: true, [decision], type) { (_, values) throws(CELError) in
            guard case .decision(let answer) = values[0] else { throw .noOverload }
            return read(answer)
        }
    }

    private static let account = CELOverload("serviceAccount", member: true, [CELAuthorizer.type, .string, .string], CELAuthorizer.type) { (_, values) throws(CELError) in
        guard case .authorizer(var authorizer) = values[0], case .string(let namespace) = values[1], case .string(let name) = values[2] else { throw .noOverload }
        guard Names.dns1123Subdomain(name).isEmpty else { throw CELError("Invalid service account name") }
        guard Names.dns1123Label(namespace).isEmpty else { throw CELError("Invalid service account namespace") }
        authorizer.question.account = (namespace, name)
        return .authorizer(authorizer)
    }

    static let all: [CELOverload] = [
        step("path", CELAuthorizer.type, path, .path, mayBeEmpty: false) { $0.path = $1 },
        step("group", CELAuthorizer.type, group, .group) { $0.group = $1 },
        account,
        step("resource", group, CELAuthorizer.checkType, .resource, mayBeEmpty: false) { $0.resource = $1 },
        step("subresource", CELAuthorizer.checkType, CELAuthorizer.checkType, .resource) { $0.subresource = $1 },
        step("namespace", CELAuthorizer.checkType, CELAuthorizer.checkType, .resource) { $0.namespace = $1 },
        step("name", CELAuthorizer.checkType, CELAuthorizer.checkType, .resource) { $0.name = $1 },
        // Roles know no selectors: who may list may list all.
        step("fieldSelector", CELAuthorizer.checkType, CELAuthorizer.checkType, .resource) { _, _ in },
        step("labelSelector", CELAuthorizer.checkType, CELAuthorizer.checkType, .resource) { _, _ in },
        check(path), check(CELAuthorizer.checkType),
        part("allowed", .bool) { .bool($0.isAllowed) }, part("reason", .string) { .string($0.reason) },
        // The lab's own roles always have an answer.
        part("errored", .bool) { _ in .bool(false) }, part("error", .string) { _ in .string("") },
    ]
}
