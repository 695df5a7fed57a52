import NIOCore
import NIOHTTP1
import Testing

@testable import Catalogue
@testable import KubeModel
@testable import Access
@testable import KubeServer
@testable import Registry

@Suite struct HTTPTests {
    @Test func keepsConnectionsAndAnswersPipelinedRequestsInOrder() async throws {
        let lab = try await Lab()
        try await lab.configMap("a")
        let server = try await LiveServer(lab)
        let connection = try await server.connect()
        try await connection.executeThenClose { inbound, outbound in
            var parts = inbound.makeAsyncIterator()
            for _ in 0..<3 {
                let answer = try await LiveServer.exchange(&parts, outbound, .GET, "/api/v1/namespaces/team/configmaps/a")
                #expect(answer.json["metadata"]["name"] == "a")
            }
            for path in ["/version", "/healthz", "/api/v1/namespaces/team"] {
                let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: ["Host": "localhost"])
                try await outbound.write(contentsOf: [.head(head), .end(nil)])
            }
            #expect(try await LiveServer.response(&parts).json["minor"] == "32")
            #expect(try await LiveServer.response(&parts).text == "ok")
            #expect(try await LiveServer.response(&parts).json["metadata"]["name"] == "team")
        }
    }

    @Test func knowsClientsByTheirCertificate() async throws {
        let lab = try await Lab(authenticator: CertificateAuthenticator())
        let admin = try await LiveServer(lab)
        let review = try await admin.send(.POST, "/apis/authentication.k8s.io/v1/selfsubjectreviews", [:])
        #expect(review.json["status"]["userInfo"]["username"] == "admin")
        #expect(review.json["status"]["userInfo"]["groups"] == ["system:masters", "teachers", "system:authenticated"])
        let stranger = try await LiveServer(lab, withCertificate: false)
        #expect(try await stranger.get("/api").status == 403)
        #expect(try await stranger.get("/api/v1/namespaces").status == 403)
        #expect(try await stranger.get("/api", ["Authorization": "Bearer nobody"]).status == 401)
        for open in ["/healthz", "/livez", "/readyz", "/version"] { #expect(try await stranger.get(open).status == 200) }
    }

    @Test func refusesBodiesBeyondTheLimit() async throws {
        var limits = HTTPLimits()
        limits.body = 1000
        let server = try await LiveServer(Lab(limits: limits))
        let answer = try await server.send(.POST, "/api/v1/namespaces/team/configmaps", [:], Array(repeating: 0x20, count: 5000))
        #expect(answer.status == 413)
        #expect(answer.json["reason"] == "RequestEntityTooLarge")
        #expect(answer.headers.first(name: "connection") == "close")
    }

    @Test func dropsClientsThatAreTooSlow() async throws {
        var limits = HTTPLimits()
        limits.request = .milliseconds(500)
        let server = try await LiveServer(Lab(limits: limits))
        let connection = try await server.connect()
        try await connection.executeThenClose { inbound, outbound in
            let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/api", headers: ["Host": "x", "Content-Length": "10"])
            await #expect(throws: (any Error).self) {
                // On a busy machine even the handshake may be too slow for the limit: then the write fails.
                try await outbound.write(.head(head))
                var parts = inbound.makeAsyncIterator()
                _ = try await LiveServer.response(&parts)
            }
        }
    }

    @Test func endsWatchesWhenItShutsDown() async throws {
        let lab = try await Lab()
        let server = try await LiveServer(lab)
        let connection = try await server.connect()
        try await connection.executeThenClose { inbound, outbound in
            var parts = inbound.makeAsyncIterator()
            let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/api/v1/namespaces?watch=1", headers: ["Host": "x"])
            try await outbound.write(contentsOf: [.head(head), .end(nil)])
            // The first piece shows that the watch runs.
            while let part = try await parts.next() { if case .body = part { break } }
            lab.server.shutDown(within: .seconds(5))
            var isEnded = false
            while let part = try await parts.next() { if case .end = part { isEnded = true } }
            #expect(isEnded)
        }
    }

    @Test func forbidsWhatOnlyAdministratorsMay() async throws {
        struct Student: Authenticator {
            func authenticate(_ credentials: Credentials) async -> User? { User(name: "eve", groups: ["students"]).asAuthenticated }
        }
        let lab = try await Lab(authenticator: Student())
        try await RoleBootstrap.run(lab.registry)
        let client = lab.router
        let refused = try await client.get("/api/v1/namespaces/team/secrets")
        #expect(refused.status == 403)
        #expect(
            refused.json["message"]
                == "secrets is forbidden: User \"eve\" cannot list resource \"secrets\" in API group \"\" in the namespace \"team\"")
        #expect(try await client.get("/api").status == 200)
        let review = try await client.send(
            .POST, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", ["spec": ["resourceAttributes": ["verb": "get", "resource": "pods"]]])
        #expect(review.json["status"]["allowed"] == false)
    }

    @Test func readsSubjectsOfCertificatesOnly() throws {
        #expect(CertificateSubject(der: []) == nil)
        #expect(CertificateSubject(der: [0x30, 0x84, 0xff, 0xff, 0xff, 0xff]) == nil)
        #expect(CertificateSubject(der: Array(repeating: 0x30, count: 300)) == nil)
    }

    @Test func prefersTheBestAcceptedForm() throws {
        let headers: HTTPHeaders = ["Accept": "text/html;q=0.9, application/json;as=Table;v=v1;g=meta.k8s.io, application/json;q=0.5"]
        #expect(try Representation.negotiate(headers).form == .table)
        #expect(try Representation.negotiate(["Accept": "application/json;as=Nothing;v=v1;g=meta.k8s.io, */*;q=0.1"]).form == .object)
        #expect(throws: APIStatus.self) { try Representation.negotiate(["Accept": "application/vnd.kubernetes.protobuf"]) }
    }
}
