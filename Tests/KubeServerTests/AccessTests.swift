import Foundation
import Logging
import Testing

@testable import Access
@testable import Catalogue
@testable import KubeModel
@testable import KubeServer
@testable import Registry

/// Takes a bearer token for the user's name.
private struct Named: Authenticator {
    func authenticate(_ credentials: Credentials) async -> User? {
        guard let name = credentials.bearerToken else { return nil }
        return User(name: name, groups: name == "root" ? [User.masters] : []).asAuthenticated
    }
}

@Suite struct AccessTests {
    private func lab() async throws -> Lab {
        let lab = try await Lab(authenticator: Named())
        try await RoleBootstrap.run(lab.registry)
        try await lab.configMap("a")
        for (role, user) in [("view", "viewer"), ("edit", "editor"), ("admin", "owner")] {
            try await create(lab, [
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": ["name": .string(user), "namespace": "team"],
                "roleRef": ["kind": "ClusterRole", "name": .string(role)], "subjects": [["kind": "User", "name": .string(user)]],
            ])
        }
        return lab
    }

    private func create(_ lab: Lab, _ object: JSON) async throws {
        let kind = try lab.registry.kind(of: object)
        _ = try await lab.registry.create(kind, namespace: "team", object, WriteOptions(manager: "test"))
    }

    private func send(_ lab: Lab, _ user: String, _ method: String, _ path: String, _ body: JSON? = nil, _ more: [(String, String)] = []) async throws -> Answer {
        var request = Request(
            method: .init(rawValue: method), uri: path, headers: .init([("Content-Type", "application/json")] + more),
            body: .init(bytes: body?.encoded() ?? []), credentials: user.isEmpty ? Credentials() : Credentials(bearerToken: user))
        request.user = .anonymous
        let response = await lab.server.router.respond(request)
        guard case .bytes(let buffer) = response.body else { return Answer(status: Int(response.status.code), headers: response.headers, body: []) }
        return Answer(status: Int(response.status.code), headers: response.headers, body: Array(buffer.readableBytesView))
    }

    private static let maps = "/api/v1/namespaces/team/configmaps"

    @Test func verbsAreEnforced() async throws {
        let lab = try await lab()
        #expect(try await send(lab, "viewer", "GET", Self.maps).status == 200)
        #expect(try await send(lab, "viewer", "GET", "\(Self.maps)/a").status == 200)
        let refused = try await send(lab, "viewer", "DELETE", "\(Self.maps)/a")
        #expect(refused.status == 403)
        #expect(
            refused.json["message"]
                == #"configmaps "a" is forbidden: User "viewer" cannot delete resource "configmaps" in API group "" in the namespace "team""#)
        #expect(refused.json["details"] == ["name": "a", "kind": "configmaps"])
        let list = try await send(lab, "viewer", "GET", "/api/v1/secrets")
        #expect(list.json["message"] == #"secrets is forbidden: User "viewer" cannot list resource "secrets" in API group "" at the cluster scope"#)
        #expect(try await send(lab, "viewer", "GET", "/api/v1/namespaces/team").status == 200, "a Role in a namespace covers the namespace")
        #expect(try await send(lab, "viewer", "GET", "/api/v1/namespaces").status == 403)
        #expect(try await send(lab, "viewer", "GET", "/kindling/v1/top").status == 403)
        #expect(try await send(lab, "", "GET", Self.maps).status == 403)
        #expect(try await send(lab, "", "GET", "/version").status == 200)
    }

    @Test func applyThatCreatesNeedsTheRightToCreate() async throws {
        let lab = try await lab()
        try await create(lab, [
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": ["name": "patcher", "namespace": "team"],
            "rules": [["apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"]]],
        ])
        try await create(lab, [
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": ["name": "patcher", "namespace": "team"],
            "roleRef": ["kind": "Role", "name": "patcher"], "subjects": [["kind": "User", "name": "patcher"]],
        ])
        let apply = [("Content-Type", "application/apply-patch+yaml")]
        func map(_ name: String) -> JSON { ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": .string(name)], "data": ["k": "v"]] }
        func patch(_ name: String) async throws -> Answer {
            var headers = apply
            headers.append(("User-Agent", "t"))
            let request = Request(
                method: .PATCH, uri: "\(Self.maps)/\(name)?fieldManager=t", headers: .init(headers), body: .init(bytes: map(name).encoded()),
                credentials: Credentials(bearerToken: "patcher"))
            let response = await lab.server.router.respond(request)
            return Answer(status: Int(response.status.code), headers: response.headers, body: [])
        }
        #expect(try await patch("a").status == 200)
        #expect(try await patch("new").status == 403)
    }

    @Test func escalationIsRefusedAtTheAPI() async throws {
        let lab = try await lab()
        let path = "/apis/rbac.authorization.k8s.io/v1/namespaces/team/roles"
        func role(_ resource: String) -> JSON {
            [
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": ["name": .string(resource)],
                "rules": [["apiGroups": [""], "resources": [.string(resource)], "verbs": ["get"]]],
            ]
        }
        #expect(try await send(lab, "owner", "POST", path, role("pods")).status == 201)
        let refused = try await send(lab, "owner", "POST", path, role("nodes"))
        #expect(refused.status == 403)
        #expect(refused.json["message"].stringValue?.contains("is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"nodes\"], Verbs:[\"get\"]}") == true)
        let widened = try await send(
            lab, "owner", "PATCH", "\(path)/pods", ["rules": [["apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]]]],
            [("Content-Type", "application/merge-patch+json")])
        #expect([403, 415].contains(widened.status))
    }

    @Test func impersonationNeedsTheRight() async throws {
        let lab = try await lab()
        let review = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        let allowed = try await send(
            lab, "root", "POST", review, [:],
            [("Impersonate-User", "bob"), ("Impersonate-Group", "g"), ("Impersonate-Uid", "7"), ("Impersonate-Extra-Scopes", "x")])
        #expect(allowed.json["status"]["userInfo"]["username"] == "bob")
        #expect(allowed.json["status"]["userInfo"]["groups"] == ["g", "system:authenticated"])
        #expect(allowed.json["status"]["userInfo"]["uid"] == "7")
        #expect(allowed.json["status"]["userInfo"]["extra"]["scopes"] == ["x"])
        let refused = try await send(lab, "viewer", "POST", review, [:], [("Impersonate-User", "root")])
        #expect(refused.status == 403)
        #expect(refused.json["message"] == #"users "root" is forbidden: User "viewer" cannot impersonate resource "users" in API group "" at the cluster scope"#)
        let account = try await send(lab, "editor", "POST", review, [:], [("Impersonate-User", "system:serviceaccount:team:default")])
        #expect(account.json["status"]["userInfo"]["groups"] == ["system:serviceaccounts", "system:serviceaccounts:team", "system:authenticated"])
        #expect(try await send(lab, "root", "POST", review, [:], [("Impersonate-Group", "g")]).status == 400)
        // The rights are those of the other.
        #expect(try await send(lab, "root", "DELETE", "\(Self.maps)/a", nil, [("Impersonate-User", "viewer")]).status == 403)
    }

    @Test func reviewsAnswerByTheSameRules() async throws {
        let lab = try await lab()
        let group = "/apis/authorization.k8s.io/v1"
        let attributes: JSON = ["namespace": "team", "verb": "list", "resource": "pods"]
        let own = try await send(lab, "viewer", "POST", "\(group)/selfsubjectaccessreviews", ["spec": ["resourceAttributes": attributes]])
        #expect(own.json["status"]["allowed"] == true)
        #expect(own.json["status"]["reason"].stringValue?.contains(#"RoleBinding "viewer/team" of ClusterRole "view""#) == true)
        let other = try await send(
            lab, "root", "POST", "\(group)/subjectaccessreviews", ["spec": ["user": "nobody", "resourceAttributes": attributes]])
        #expect(other.json["status"] == ["allowed": false])
        #expect(try await send(lab, "viewer", "POST", "\(group)/subjectaccessreviews", ["spec": ["user": "x", "resourceAttributes": attributes]]).status == 403)
        let rules = try await send(lab, "viewer", "POST", "\(group)/selfsubjectrulesreviews", ["spec": ["namespace": "team"]])
        #expect(rules.json["status"]["resourceRules"].elements.contains { $0["resources"].elements.contains("pods/log") })
        #expect(rules.json["status"]["nonResourceRules"].elements.contains { $0["nonResourceURLs"].elements.contains("/apis/*") })
        #expect(try await send(lab, "viewer", "POST", "\(group)/selfsubjectrulesreviews", ["spec": [:]]).status == 400)
        let neither = try await send(lab, "viewer", "POST", "\(group)/selfsubjectaccessreviews", ["spec": [:]])
        #expect(neither.status == 422)
        let local = try await send(
            lab, "owner", "POST", "\(group)/namespaces/team/localsubjectaccessreviews",
            ["spec": ["user": "viewer", "resourceAttributes": attributes]])
        #expect(local.json["status"]["allowed"] == true)
    }
}

@Suite struct UsersFileTests {
    // Method, cost and salt; the lowest cost, for the tests' sake.
    private static let hash = "$2b$04$abcdefghijklmnopqrstuu"

    private func hashed(_ secret: String) -> String {
        var output = [CChar](repeating: 0, count: 128)
        _ = Bcrypt.hash(secret, setting: Self.hash, into: &output)
        return String(decoding: output.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    @Test func linesAreReadAndOddOnesToldOf() {
        let file = UsersFile("# users\nann:\(hashed("secret")):7:teachers, staff\n\nbob:\(hashed("x"))\nbad\nweak:$1$abc$def\nsystem:root:\(hashed("x"))\n")
        #expect(file.entries["ann"]?.user == User(name: "ann", uid: "7", groups: ["teachers", "staff", "system:authenticated"]))
        #expect(file.entries["bob"]?.user.groups == ["system:authenticated"])
        #expect(file.badLines == [5, 6, 7])
        #expect(!UsersFile.isAcceptable(hash: "$2b$31$" + String(repeating: "a", count: 53)), "a cost that takes minutes")
    }

    @Test func usersAreAddedAndRemoved() async throws {
        let scratch = try Scratch()
        let path = scratch.path + "/users"
        let first = try UsersFileEditor.adding("ann", uid: "7", groups: ["staff", "system:masters"], to: "# ours\nbob:x\n")
        let second = try UsersFileEditor.adding("ann", uid: "", groups: [], to: first.text)
        #expect(first.token.hasPrefix("ann:") && first.token != second.token)
        #expect(first.text.hasPrefix("# ours\nbob:x\nann:$2b$10$") && !first.text.contains(first.token.dropFirst(4)))
        #expect(UsersFileEditor.users(in: first.text).map(\.groups) == [["staff", "system:masters", "system:authenticated"]])
        #expect(UsersFileEditor.removing("ann", from: second.text) == "# ours\nbob:x\n")
        #expect(UsersFileEditor.removing("eve", from: second.text) == nil)
        for bad in ["", "a:b", "system:x", "a b", "#a"] {
            #expect(throws: UsersFileEditor.Problem.self) { try UsersFileEditor.adding(bad, uid: "", groups: [], to: "") }
        }
        try second.text.write(toFile: path, atomically: true, encoding: .utf8)
        let authenticator = UsersFileAuthenticator(path: path, logger: Logger(label: "test"))
        #expect(await authenticator.authenticate(Credentials(bearerToken: first.token)) == nil)
        #expect(await authenticator.authenticate(Credentials(bearerToken: second.token))?.name == "ann")
    }

    @Test func tokensAreCheckedAndTheFileIsFollowed() async throws {
        let scratch = try Scratch()
        let path = scratch.path + "/users"
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let authenticator = UsersFileAuthenticator(path: path, logger: logger)
        func user(_ token: String) async -> String? { await authenticator.authenticate(Credentials(bearerToken: token))?.name }
        #expect(await user("ann:secret") == nil)
        try "ann:\(hashed("secret"))\n".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(await user("ann:secret") == "ann")
        #expect(await user("ann:secret") == "ann", "remembered")
        #expect(await user("ann:wrong") == nil)
        #expect(await user("bob:secret") == nil)
        #expect(await user("secret") == nil)
        try "bob:\(hashed("secret"))\n".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(await user("ann:secret") == nil, "what was remembered goes with the file")
        #expect(await user("bob:secret") == "bob")
    }
}
