import Testing

@testable import Access
@testable import Catalogue
@testable import KubeModel
@testable import Registry

@Suite struct TokenTests {
    private static let start = Timestamp(seconds: 1_700_000_000)

    private func account(_ lab: Lab) async throws -> StoredObject {
        try await lab.client.create(["apiVersion": "v1", "kind": "ServiceAccount", "metadata": ["name": "default", "namespace": "team"]])
    }

    private func pod(_ lab: Lab, _ name: String = "p", _ spec: JSON = [:]) async throws -> StoredObject {
        var spec = spec
        if spec["containers"].isNull { spec["containers"] = [["name": "c", "image": "busybox"]] }
        return try await lab.client.create(["apiVersion": "v1", "kind": "Pod", "metadata": ["name": .string(name), "namespace": "team"], "spec": spec])
    }

    private func issuer(_ lab: Lab, _ key: TokenKey = TokenKey(), after seconds: Int64 = 0) -> TokenIssuer {
        TokenIssuer(key: key, catalogue: lab.catalogue, clock: .fixed(Timestamp(seconds: Self.start.seconds + seconds)))
    }

    private func refusal(_ issuer: TokenIssuer, _ token: String, _ audiences: [String] = []) -> String? {
        do {
            _ = try issuer.authenticate(token, audiences: audiences)
            return nil
        } catch { return error.description }
    }

    @Test func aBoundTokenStandsForItsAccountAndPod() async throws {
        let lab = try await Lab(withDefaults: false)
        let account = try await account(lab)
        let pod = try await pod(lab)
        let issuer = issuer(lab)
        let (token, expiration) = try issuer.issue(for: account, audiences: [], seconds: 3600, boundTo: .pod(pod))
        #expect(expiration == Timestamp(seconds: Self.start.seconds + 3600))
        let user = try issuer.authenticate(token, audiences: []).user
        #expect(user.name == "system:serviceaccount:team:default")
        #expect(user.uid == account.uid)
        #expect(user.groups == ["system:serviceaccounts", "system:serviceaccounts:team", "system:authenticated"])
        #expect(user.extra["authentication.kubernetes.io/pod-name"] == ["p"])
        #expect(user.extra["authentication.kubernetes.io/pod-uid"] == [pod.uid])
        #expect(user.extra["authentication.kubernetes.io/credential-id"]?.first?.hasPrefix("JTI=") == true)
    }

    @Test func claimsAreThoseOfUpstream() async throws {
        let lab = try await Lab(withDefaults: false)
        let account = try await account(lab)
        let pod = try await pod(lab)
        let key = TokenKey()
        let token = try issuer(lab, key).issue(for: account, audiences: ["a"], seconds: 600, boundTo: .pod(pod)).token
        let payload = try #require(key.payload(of: token))
        #expect(payload["iss"].stringValue == TokenIssuer.issuer)
        #expect(payload["aud"] == ["a"])
        #expect(payload["exp"].intValue == Int(Self.start.seconds) + 600)
        #expect(payload["sub"] == "system:serviceaccount:team:default")
        #expect(payload["kubernetes.io"]["namespace"] == "team")
        #expect(payload["kubernetes.io"]["pod"] == ["name": "p", "uid": .string(pod.uid)])
        #expect(payload["kubernetes.io"]["serviceaccount"] == ["name": "default", "uid": .string(account.uid)])
    }

    @Test func tokensEnd() async throws {
        let lab = try await Lab(withDefaults: false)
        let account = try await account(lab)
        let pod = try await pod(lab)
        let key = TokenKey()
        let token = try issuer(lab, key).issue(for: account, audiences: [], seconds: 600, boundTo: .pod(pod)).token
        #expect(refusal(issuer(lab, key, after: 599), token) == nil)
        #expect(refusal(issuer(lab, key, after: 600), token) == "service account token has expired")
        #expect(refusal(issuer(lab, key, after: -1), token) == "service account token is not valid yet")
        #expect(refusal(issuer(lab, key), token, ["else"])?.contains("is invalid for the target audiences") == true)
        #expect(refusal(issuer(lab), token) == "invalid bearer token", "another lab's key")
        let issuer = issuer(lab, key)
        #expect(refusal(issuer, token) == nil)
        try await lab.client.delete(pod.key, gracePeriodSeconds: 0)
        #expect(refusal(issuer, token) == "service account token has been invalidated")
    }

    @Test func aTokenIsNotGoodForAnAccountMadeAnew() async throws {
        let lab = try await Lab(withDefaults: false)
        let account = try await account(lab)
        let issuer = issuer(lab)
        let token = try issuer.issue(for: account, audiences: [], seconds: 600).token
        try await lab.client.delete(account.key)
        #expect(refusal(issuer, token)?.contains("not found") == true)
        _ = try await self.account(lab)
        #expect(refusal(issuer, token)?.contains("does not match claim") == true)
    }

    @Test func noChangedTokenIsGood() async throws {
        let lab = try await Lab(withDefaults: false)
        let account = try await account(lab)
        let issuer = issuer(lab)
        let token = try issuer.issue(for: account, audiences: [], seconds: 600).token
        let parts = token.split(separator: ".").map(String.init)
        let none = Base64URL.encode(Array(#"{"alg":"none"}"#.utf8))
        for changed in [
            "\(parts[0]).\(parts[1]).", "\(none).\(parts[1]).\(parts[2])", "\(none).\(parts[1]).", "\(parts[0]).\(parts[1])x.\(parts[2])", "a.b.c", "", "...",
            token + "=", parts.reversed().joined(separator: "."),
        ] { #expect(refusal(issuer, changed) != nil, "\(changed)") }
    }

    @Test func aSecretsTokenLivesWithIt() async throws {
        let lab = try await Lab(withDefaults: false)
        let account = try await account(lab)
        let secret = try await lab.client.create([
            "apiVersion": "v1", "kind": "Secret", "type": .string(AccountSecret.type),
            "metadata": ["name": "s", "namespace": "team", "annotations": .object([AccountSecret.nameAnnotation: "default"])],
        ])
        let issuer = issuer(lab)
        let token = try issuer.issueLegacy(for: account, secret: secret)
        #expect(refusal(issuer, token) == "service account token has been invalidated", "the Secret does not hold it yet")
        try await lab.client.update(secret.key) { $0["data"]["token"] = .string(Base64.encode(token)) }
        #expect(try issuer.authenticate(token, audiences: []).user.name == "system:serviceaccount:team:default")
        try await lab.client.delete(secret.key)
        #expect(refusal(issuer, token) == "service account token has been invalidated")
    }

    @Test func everyPodGetsItsToken() async throws {
        let lab = try await Lab(withDefaults: false)
        _ = try await account(lab)
        let spec = try await pod(lab).spec
        let volume = try #require(spec["volumes"].elements.first)
        let name = try #require(volume["name"].stringValue)
        #expect(name.hasPrefix("kube-api-access-") && name.count == 21)
        #expect(volume["projected"]["sources"][0]["serviceAccountToken"] == ["expirationSeconds": 3607, "path": "token"])
        #expect(volume["projected"]["sources"][1]["configMap"]["name"] == "kube-root-ca.crt")
        #expect(spec["containers"][0]["volumeMounts"] == [["name": .string(name), "readOnly": true, "mountPath": .string(AccountAdmission.mountPath)]])
        let without = try await pod(lab, "q", ["automountServiceAccountToken": false]).spec
        #expect(without["volumes"].isNull)
        await #expect(throws: APIStatus.self) { try await pod(lab, "r", ["serviceAccountName": "nobody"]) }
    }

    @Test func aPodsTokenNeedsAPathAndATimeInBounds() async throws {
        let lab = try await Lab(withDefaults: false)
        _ = try await account(lab)
        func problems(_ token: JSON) async throws -> [String] {
            do {
                _ = try await pod(lab, "t", ["containers": [["name": "c", "image": "busybox"]], "volumes": [["name": "v", "projected": ["sources": [["serviceAccountToken": token]]]]]])
                return []
            } catch let problem as APIStatus { return problem.causes.map { "\($0.field): \($0.message)" } }
        }
        let field = "spec.volumes[0].projected.sources[0].serviceAccountToken"
        #expect(try await problems(["path": "t", "expirationSeconds": 599]) == ["\(field).expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes"])
        #expect(
            try await problems(["path": "t", "expirationSeconds": JSON(1 << 32 + 1)])
                == ["\(field).expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds"])
        #expect(try await problems(["path": "", "expirationSeconds": 600]) == ["\(field).path: Required value"])
        #expect(try await problems(["path": "t", "expirationSeconds": 600]) == [])
    }

    @Test func whatAdmissionAddsIsNotTheUsersIntent() async throws {
        let lab = try await Lab(withDefaults: false)
        _ = try await account(lab)
        let kind = try #require(lab.registry.kind(.pods))
        let sent: JSON = [
            "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "p", "namespace": "team"],
            "spec": [
                "volumes": [["name": "own", "emptyDir": [:]]],
                "containers": [["name": "c", "image": "busybox", "volumeMounts": [["name": "own", "mountPath": "/own"]]]],
            ],
        ]
        let options = WriteOptions(manager: "t")
        let made = try await lab.registry.create(kind, namespace: "team", sent, options).object
        #expect(made.spec["volumes"].elements.count == 2)
        #expect(made.intent == sent)
        var put = made.value
        put["metadata"]["labels"]["a"] = "b"
        let after = try await lab.registry.update(kind, namespace: "team", name: "p", put, subresource: nil, options).object
        #expect(after.intent?["spec"] == sent["spec"])
        #expect(after.intent?["metadata"]["labels"] == ["a": "b"])
    }

    @Test func base64URLReadsBackAndIsStrict() {
        for length in 0..<70 {
            let bytes = (0..<length).map { _ in UInt8.random(in: .min ... .max) }
            #expect(Base64URL.decode(Substring(Base64URL.encode(bytes))) == bytes)
        }
        for bad in ["a", "AB", "A=", "A+", "AAAAA"] { #expect(Base64URL.decode(Substring(bad)) == nil) }
    }
}
