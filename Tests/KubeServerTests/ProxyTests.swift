import NIOHTTP1
import Testing

@testable import KubeModel
@testable import KubeServer

@Suite("Proxies") struct ProxyTests {
    @Test func referencesNameSchemeAndPort() {
        typealias Reference = ProxyTarget.Reference
        func parts(_ text: String) -> [String]? { Reference(text).map { ["\($0.isTLS)", $0.name, $0.port] } }
        #expect(parts("a") == ["false", "a", ""])
        #expect(parts("a:80") == ["false", "a", "80"])
        #expect(parts(":a:80") == ["false", "a", "80"])
        #expect(parts("https:a:web") == ["true", "a", "web"])
        for text in ["", ":80", "ftp:a:1", "a:b:c:d", "http::1"] { #expect(parts(text) == nil, "\(text)") }
    }

    @Test func thePathBehindTheProxyIsThePods() {
        let root = "/api/v1/namespaces/n/pods/p/proxy"
        #expect(ResourceHandler.proxied(root) == (root, ""))
        #expect(ResourceHandler.proxied(root + "/") == (root, "/"))
        #expect(ResourceHandler.proxied(root + "/a/proxy/b%20c/") == (root, "/a/proxy/b%20c/"))
    }

    @Test func aServiceLeadsToAReadyPodByItsPort() async throws {
        let lab = try await Lab()
        func pod(_ name: String, ready: Bool, address: String) async throws {
            try await lab.put(.pods, [
                "apiVersion": "v1", "kind": "Pod", "metadata": ["name": .string(name), "namespace": "team", "labels": ["app": "a"]],
                "spec": ["containers": [["name": "main", "ports": [["name": "http", "containerPort": 8080]]]]],
                "status": ["podIP": .string(address), "conditions": [["type": "Ready", "status": .string(ready ? "True" : "False")]]],
            ])
        }
        try await pod("one", ready: false, address: "10.0.0.1")
        let service = try await lab.put(.services, [
            "apiVersion": "v1", "kind": "Service", "metadata": ["name": "s", "namespace": "team"],
            "spec": ["selector": ["app": "a"], "ports": [["name": "web", "port": 80, "targetPort": "http"], ["name": "raw", "port": 81]]],
        ])
        func target(_ text: String) throws -> ProxyTarget { try ProxyTarget.service(#require(ProxyTarget.Reference(text)), service, lab.catalogue) }
        #expect(throws: APIStatus.self) { try target("s:web") }
        try await pod("two", ready: true, address: "10.0.0.2")
        #expect(try target("s:web") == ProxyTarget(isTLS: false, address: "10.0.0.2", port: 8080))
        #expect(try target("https:s:80").port == 8080 && target("s:81").port == 81 && target("https:s:81").isTLS)
        // Two ports and none named, one that does not exist.
        for text in ["s", "s:82", "s:nothing"] { #expect(throws: APIStatus.self) { try target(text) } }
    }

    @Test func whatCannotBeReachedIsSaid() async throws {
        let client = try await Lab().router
        let root = "/api/v1/namespaces/team"
        #expect(try await client.get("\(root)/pods/none/proxy/x").status == 404)
        #expect(try await client.get("\(root)/pods/a:b:c:d/proxy/x").status == 400)
        #expect(try await client.get("/api/v1/nodes/x/proxy/y").status == 404)
    }
}
