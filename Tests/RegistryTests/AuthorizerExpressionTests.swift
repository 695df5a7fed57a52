import KubeModel
import Synchronization
import Testing

@testable import Registry

/// `authorizer` in expressions of policies and webhooks, and named time zones, which expressions get from the machine.
@Suite struct AuthorizerExpressionTests {
    /// Allows what is listed as `user verb group/resource/subresource namespace/name` or `user verb path`, and keeps what was asked.
    private final class Decider: Sendable {
        let asked = Mutex<[String]>([])
        let allowed: Set<String>

        init(_ allowed: Set<String>) { self.allowed = allowed }

        func decide(_ user: AdmissionUser, _ question: CELAccessQuestion) -> CELAccessAnswer {
            let what = question.path ?? "\(question.group)/\(question.resource)/\(question.subresource) \(question.namespace)/\(question.name)"
            let text = "\(user.name) \(question.verb) \(what)"
            asked.withLock { $0.append(text) }
            return CELAccessAnswer(isAllowed: allowed.contains(text), reason: allowed.contains(text) ? "listed" : "")
        }
    }

    private static func evaluate(_ expression: String, _ decider: Decider, user: String = "ann", limit: Int = 1_000_000) -> String {
        let authorizer = CELAuthorizer { decider.decide(AdmissionUser(name: $0.account.map { "\($0.namespace)/\($0.name)" } ?? user), $0) }
        var resource = CELAccessQuestion()
        (resource.resource, resource.namespace, resource.name) = ("pods", "team", "p")
        do throws(CELCompileError) {
            let program = try CELProgram(expression, variables: AdmissionExpressions.variables(hasParams: false))
            let values: [String: CELValue] = ["authorizer": .authorizer(authorizer), "authorizer.requestResource": .authorizer(authorizer.check(resource))]
            switch program.evaluate(values, limit: limit).result {
            case .success(.bool(let flag)): return "\(flag)"
            case .success(.string(let text)): return text
            case .success(let other): return "\(other)"
            case .failure(let error): return "error: \(error)"
            }
        } catch { return "\(error)" }
    }

    @Test(arguments: [
        ("authorizer.group('').resource('pods').namespace('team').check('create').allowed()", "true"),
        ("authorizer.group('').resource('pods').namespace('other').check('create').allowed()", "false"),
        ("authorizer.group('apps').resource('deployments').subresource('scale').namespace('team').name('d').check('update').reason()", "listed"),
        ("authorizer.path('/healthz').check('get').allowed()", "true"),
        ("authorizer.serviceAccount('team', 'bot').group('').resource('pods').check('list').allowed()", "true"),
        ("authorizer.requestResource.check('update').allowed()", "true"),
        ("authorizer.requestResource.subresource('status').check('update').allowed()", "false"),
        ("authorizer.group('').resource('pods').fieldSelector('a=b').labelSelector('c').namespace('team').check('create').errored()", "false"),
        ("authorizer.group('').resource(' ')", "error: resource must not be empty"), ("authorizer.path('')", "error: path must not be empty"),
        ("authorizer.serviceAccount('a.b', 'bot')", "error: Invalid service account namespace"),
        ("authorizer.serviceAccount('team', 'B')", "error: Invalid service account name"),
        ("[authorizer].exists(authorizer, authorizer.path('/healthz').check('get').allowed())", "true"),
    ])
    func asks(_ expression: String, _ expected: String) {
        let decider = Decider([
            "ann create /pods/ team/", "ann update apps/deployments/scale team/d", "ann get /healthz", "team/bot list /pods/ /", "ann update /pods/ team/p",
        ])
        #expect(Self.evaluate(expression, decider) == expected)
    }

    @Test func whatCannotBeAskedDoesNotCompile() {
        #expect(Self.evaluate("authorizer.resource('pods')", Decider([])).contains("found no matching overload for 'resource'"))
        #expect(Self.evaluate("authorizer.group('').allowed()", Decider([])).contains("found no matching overload for 'allowed'"))
    }

    @Test func twoQuestionsAreAllThatAnExpressionCanPay() {
        let question = "authorizer.path('/healthz').check('get').allowed()"
        let decider = Decider(["ann get /healthz"])
        #expect(Self.evaluate("\(question) && \(question)", decider) == "true")
        #expect(Self.evaluate("\(question) && \(question) && \(question)", decider).hasPrefix("error:"))
    }

    @Test func policiesAskForWhoSendsTheRequest() async throws {
        let lab = try await Lab()
        let decider = Decider(["ann use example.com/gates/ team/"])
        lab.registry.decideAccess { decider.decide($0, $1) }
        let policy: JSON = [
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": ["name": "p.example.com"],
            "spec": [
                "matchConstraints": ["resourceRules": [["apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]]]],
                "matchConditions": [["name": "c", "expression": "!authorizer.requestResource.check('bypass').allowed()"]],
                "variables": [["name": "mayUse", "expression": "authorizer.group('example.com').resource('gates').namespace(request.namespace).check('use').allowed()"]],
                "validations": [["expression": "variables.mayUse", "message": "no gate"]],
            ],
        ]
        try await lab.create(policy)
        try await lab.create([
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": ["name": "b"],
            "spec": ["policyName": "p.example.com", "validationActions": ["Deny"]],
        ])
        let kind = try #require(lab.registry.kind(.configMaps))
        func create(_ name: JSON, by user: String) async throws -> APIStatus? {
            var options = WriteOptions(manager: "m")
            options.user = AdmissionUser(name: user)
            let object: JSON = ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": name]]
            do { _ = try await lab.registry.create(kind, namespace: Lab.namespace, object, options) } catch let problem as APIStatus { return problem }
            return nil
        }
        #expect(try await create("a", by: "ann") == nil)
        #expect(try await create("b", by: "bob")?.message.hasSuffix("denied request: no gate") == true)
        #expect(decider.asked.withLock { $0 } == [
            "ann bypass /configmaps/ team/a", "ann use example.com/gates/ team/", "bob bypass /configmaps/ team/b", "bob use example.com/gates/ team/",
        ])
        var message = policy
        message["metadata"]["name"] = "q.example.com"
        message["spec"]["validations"] = [["expression": "true", "messageExpression": "authorizer.path('/').check('get').reason()"]]
        await #expect(throws: APIStatus.self) { try await lab.create(message) }
    }

    // MARK: Time zones

    @Test(arguments: [
        ("2024-01-15T12:30:00Z", "getHours", 13), ("2024-07-15T12:30:00Z", "getHours", 14), ("2024-07-15T23:30:00Z", "getDate", 16),
        // The second at which the clocks are moved.
        ("2024-03-31T00:59:59Z", "getHours", 1), ("2024-03-31T01:00:00Z", "getHours", 3), ("2024-10-27T00:59:59Z", "getHours", 2),
        ("2024-10-27T01:00:00Z", "getHours", 2), ("2024-10-27T02:00:00Z", "getHours", 3),
    ])
    func namedZonesAreAsFarFromUTCAsTheyAreThen(_ time: String, _ function: String, _ expected: Int) async throws {
        _ = try await Lab()
        let program = try CELProgram("timestamp('\(time)').\(function)('Europe/Berlin') == \(expected)", variables: [])
        guard case .success(.bool(true)) = program.evaluate([:], limit: 1000).result else {
            Issue.record("\(time): \(program.evaluate([:], limit: 1000).result)")
            return
        }
    }

    @Test func aZoneThatIsNoneIsAnError() async throws {
        _ = try await Lab()
        let program = try CELProgram("timestamp('2024-01-15T12:30:00Z').getHours('Mars/Olympus')", variables: [])
        guard case .failure(let error) = program.evaluate([:], limit: 1000).result else { throw APIStatus.internalError("expected an error") }
        #expect(error.message == "unknown time zone Mars/Olympus")
    }
}
