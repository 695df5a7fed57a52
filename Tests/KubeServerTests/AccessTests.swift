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

    /// Every kind of route, and the right that it asks for (upstream: apiserver/pkg/endpoints/request/requestinfo.go).
    private static let routes: [(method: String, path: String, right: String)] = [
        ("GET", "pods", "list pods"), ("HEAD", "pods", "list pods"), ("GET", "pods?watch=1", "watch pods"), ("GET", "pods?watch", "watch pods"),
        ("GET", "pods?watch=false", "list pods"), ("GET", "pods/p", "get pods"), ("GET", "pods/p?watch=1", "get pods"), ("POST", "pods", "create pods"),
        ("PUT", "pods/p", "update pods"), ("PATCH", "pods/p", "patch pods"), ("DELETE", "pods/p", "delete pods"), ("DELETE", "pods", "deletecollection pods"),
        ("GET", "pods/p/log", "get pods/log"), ("GET", "pods/p/exec?command=id", "get pods/exec"), ("POST", "pods/p/exec?command=id", "create pods/exec"),
        ("GET", "pods/p/attach", "get pods/attach"), ("POST", "pods/p/attach", "create pods/attach"),
        ("GET", "pods/p/portforward?ports=80", "get pods/portforward"), ("POST", "pods/p/portforward", "create pods/portforward"),
        ("GET", "pods/https:p:443/proxy/a/b", "get pods/proxy"), ("POST", "pods/p/proxy/", "create pods/proxy"), ("PUT", "pods/p/proxy/x", "update pods/proxy"),
        ("DELETE", "services/s:80/proxy", "delete services/proxy"), ("PATCH", "services/s/proxy/x", "patch services/proxy"),
        ("GET", "pods/p/ephemeralcontainers", "get pods/ephemeralcontainers"), ("PATCH", "pods/p/ephemeralcontainers", "patch pods/ephemeralcontainers"),
        ("POST", "pods/p/eviction", "create pods/eviction"), ("POST", "pods/p/binding", "create pods/binding"), ("POST", "bindings", "create bindings"),
        ("GET", "pods/p/status", "get pods/status"), ("PUT", "pods/p/status", "update pods/status"),
        ("POST", "serviceaccounts/default/token", "create serviceaccounts/token"),
        ("GET", "replicationcontrollers/r/scale", "get replicationcontrollers/scale"), ("PUT", "replicationcontrollers/r/scale", "update replicationcontrollers/scale"),
        ("PATCH", "replicationcontrollers/r/scale", "patch replicationcontrollers/scale"), ("GET", "secrets/s", "get secrets"), ("GET", "none", "list none"),
    ]
    private static let strangeRoutes: [(method: String, path: String, right: String)] = [
        ("GET", "/kindling/v1/top", "get path \"/kindling/v1/top\""), ("POST", "/kindling/v1/stop-pods", "post path \"/kindling/v1/stop-pods\""),
        ("GET", "/metrics", "get path \"/metrics\""), ("GET", "/nothing", "get path \"/nothing\""), ("POST", "/api", "post path \"/api\""),
        ("GET", "/openid/v1/jwks", "get path \"/openid/v1/jwks\""),
        ("GET", "/apis/metrics.k8s.io/v1beta1/nodes", "list resource \"nodes\" in API group \"metrics.k8s.io\" at the cluster scope"),
        ("GET", "/apis/metrics.k8s.io/v1beta1/namespaces/team/pods/p", "get resource \"pods\" in API group \"metrics.k8s.io\" in the namespace \"team\""),
        ("PUT", "/api/v1/namespaces/team/finalize", "update resource \"namespaces/finalize\" in API group \"\" in the namespace \"team\""),
        ("DELETE", "/api/v1/nodes/n", "delete resource \"nodes\" in API group \"\" at the cluster scope"),
        ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", "create resource \"tokenreviews\" in API group \"authentication.k8s.io\" at the cluster scope"),
        ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", "create resource \"subjectaccessreviews\" in API group \"authorization.k8s.io\" at the cluster scope"),
        (
            "POST", "/apis/authorization.k8s.io/v1/namespaces/team/localsubjectaccessreviews",
            "create resource \"localsubjectaccessreviews\" in API group \"authorization.k8s.io\" in the namespace \"team\""
        ),
        ("PUT", "/apis/apps/v1/namespaces/team/deployments/d/scale", "update resource \"deployments/scale\" in API group \"apps\" in the namespace \"team\""),
    ]

    @Test func everyRouteAsksForItsRight() async throws {
        let lab = try await lab()
        let upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]
        var routes = Self.strangeRoutes
        routes += Self.routes.map { route in
            let words = route.right.split(separator: " ")
            return (route.method, "/api/v1/namespaces/team/\(route.path)", "\(words[0]) resource \"\(words[1])\" in API group \"\" in the namespace \"team\"")
        }
        for (method, path, right) in routes {
            let refused = try await send(lab, "nobody", method, path, nil, upgrade)
            #expect(refused.status == 403, "\(method) \(path)")
            #expect(refused.json["message"].stringValue?.hasSuffix("User \"nobody\" cannot \(right)") == true, "\(method) \(path): \(refused.json["message"])")
            #expect(try await send(lab, "", method, path).status == 403, "\(method) \(path) without credentials")
        }
    }

    /// Rights in a namespace, even all of them, are no rights to what only seems to lie in it.
    @Test func aNamespaceHoldsItsOwnOnly() async throws {
        let lab = try await lab()
        try await create(lab, [
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": ["name": "king", "namespace": "team"],
            "roleRef": ["kind": "ClusterRole", "name": "cluster-admin"], "subjects": [["kind": "User", "name": "king"]],
        ])
        for (method, path) in [
            ("GET", "/apis/metrics.k8s.io/v1beta1/namespaces/team/nodes"), ("GET", "/api/v1/namespaces/team/nodes"), ("GET", "/api/v1/namespaces/team/namespaces/default"),
            ("GET", "/apis/rbac.authorization.k8s.io/v1/namespaces/team/clusterroles/cluster-admin"),
            ("POST", "/apis/authorization.k8s.io/v1/namespaces/team/subjectaccessreviews"), ("POST", "/apis/authentication.k8s.io/v1/namespaces/team/tokenreviews"),
            ("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/team/clusterrolebindings"),
        ] {
            let answer = try await send(lab, "king", method, path, [:])
            #expect([404, 405].contains(answer.status), "\(method) \(path): \(answer.status)")
        }
        #expect(try await send(lab, "king", "GET", "/api/v1/namespaces/team%2F..%2Fdefault/secrets").status == 400)
        #expect(try await send(lab, "king", "GET", "/api/v1/namespaces/default/secrets").status == 403)
        #expect(try await send(lab, "king", "GET", "/api/v1/secrets").status == 403)
        let list = "/api/v1/namespaces/team/secrets"
        #expect(try await send(lab, "king", "GET", list).status == 200)
    }

    /// A list that can find one object only is a look at that object.
    @Test func aNamedListNeedsTheNameOnly() async throws {
        let lab = try await lab()
        try await create(lab, [
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": ["name": "one", "namespace": "team"],
            "rules": [["apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["a"], "verbs": ["list", "get"]]],
        ])
        try await create(lab, [
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": ["name": "one", "namespace": "team"],
            "roleRef": ["kind": "Role", "name": "one"], "subjects": [["kind": "User", "name": "one"]],
        ])
        #expect(try await send(lab, "one", "GET", "\(Self.maps)?fieldSelector=metadata.name%3Da").json["items"].elements.count == 1)
        for selector in ["metadata.name!=a", "metadata.namespace=team", "metadata.name=b", "metadata.name!=b,metadata.name!=a", "x=\\,metadata.name=a", "", "metadata.name="] {
            let text = selector.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
            #expect(try await send(lab, "one", "GET", "\(Self.maps)?fieldSelector=\(text)").status == 403, "\(selector)")
        }
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

    @Test func aPutThatCreatesNeedsTheRightToCreate() async throws {
        let lab = try await lab()
        for (name, verbs) in [("updater", ["update"]), ("maker", ["update", "create"])] as [(String, JSON)] {
            try await create(lab, [
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": ["name": .string(name), "namespace": "team"],
                "rules": [["apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": verbs]],
            ])
            try await create(lab, [
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": ["name": .string(name), "namespace": "team"],
                "roleRef": ["kind": "Role", "name": .string(name)], "subjects": [["kind": "User", "name": .string(name)]],
            ])
        }
        let path = "/apis/coordination.k8s.io/v1/namespaces/team/leases/l"
        let lease: JSON = ["apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": ["name": "l"], "spec": ["holderIdentity": "me"]]
        let refused = try await send(lab, "updater", "PUT", path, lease)
        #expect(refused.status == 403 && refused.text.contains("cannot create resource \\\"leases\\\""), "\(refused.text)")
        #expect(try await send(lab, "maker", "PUT", path, lease).status == 201)
        #expect(try await send(lab, "updater", "PUT", path, lease).status == 200)
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
