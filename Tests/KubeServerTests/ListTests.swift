import NIOHTTP1
import Testing

@testable import Catalogue
@testable import KubeModel
@testable import KubeServer
@testable import Registry

@Suite struct ListTests {
    static let path = "/api/v1/namespaces/team/configmaps"

    private func names(_ answer: Answer) -> [String] { answer.json["items"].elements.compactMap { $0["metadata"]["name"].stringValue } }

    @Test(arguments: Depth.allCases)
    func selectsByLabelsAndFields(_ depth: Depth) async throws {
        let lab = try await Lab()
        try await lab.configMap("a", labels: ["x": "1"])
        try await lab.configMap("b", labels: ["x": "2"])
        let client = try await depth.client(lab)
        let all = try await client.get(Self.path)
        #expect(all.json["kind"] == "ConfigMapList")
        #expect(all.json["apiVersion"] == "v1")
        #expect(names(all) == ["a", "b"])
        #expect(names(try await client.get("\(Self.path)?labelSelector=x%20in%20(2,3)")) == ["b"])
        #expect(names(try await client.get("\(Self.path)?fieldSelector=metadata.name%3Da")) == ["a"])
        #expect(names(try await client.get("/api/v1/configmaps?fieldSelector=metadata.namespace%3Dteam")) == ["a", "b"])
        let refused = try await client.get("\(Self.path)?fieldSelector=data.x%3Da")
        #expect(refused.status == 400)
        #expect(refused.json["message"] == "field label not supported: data.x")
    }

    @Test func allPartsOfAListShowOneMoment() async throws {
        let lab = try await Lab()
        for index in 0..<25 { try await lab.configMap("c\(index < 10 ? "0" : "")\(index)") }
        let first = try await lab.router.get("\(Self.path)?limit=10")
        let revision = first.json["metadata"]["resourceVersion"]
        #expect(first.json["metadata"]["remainingItemCount"] == 15)
        try await lab.remove(.configMaps, "c15")
        try await lab.configMap("c11a")
        var found = names(first)
        var token = first.json["metadata"]["continue"].stringValue
        while let next = token {
            let page = try await lab.router.get("\(Self.path)?limit=10&continue=\(next.replacing("=", with: "%3D").replacing("+", with: "%2B"))")
            #expect(page.json["metadata"]["resourceVersion"] == revision)
            found += names(page)
            token = page.json["metadata"]["continue"].stringValue
        }
        #expect(found == (0..<25).map { "c\($0 < 10 ? "0" : "")\($0)" })
        #expect(try await lab.router.get("\(Self.path)?limit=10&continue=rubbish").status == 400)
        let stale = PageStore.Token(revision: 3, namespace: "team", name: "c01", list: 7).text
        #expect(try await lab.router.get("\(Self.path)?limit=10&continue=\(stale.replacing("=", with: "%3D"))").status == 410)
    }

    @Test func listsAsOfAnEarlierRevision() async throws {
        let lab = try await Lab()
        try await lab.configMap("kept", ["v": "1"])
        let removed = try await lab.configMap("removed")
        try await lab.configMap("kept", ["v": "2"])
        try await lab.remove(.configMaps, "removed")
        try await lab.configMap("new")
        let past = try await lab.router.get("\(Self.path)?resourceVersion=\(removed.revision)&resourceVersionMatch=Exact")
        #expect(names(past) == ["kept", "removed"])
        #expect(past.json["items"][0]["data"]["v"] == "1")
        #expect(past.json["metadata"]["resourceVersion"] == .string(String(removed.revision)))
        #expect(try await lab.router.get("\(Self.path)?resourceVersion=99999").status == 504)
        #expect(try await lab.router.get("\(Self.path)?resourceVersionMatch=Exact").status == 422)
    }

    @Test func forgottenRevisionsAreGone() async throws {
        let lab = try await Lab(window: 3)
        let first = try await lab.configMap("a")
        for index in 0..<10 { try await lab.configMap("a", ["i": String(index)]) }
        #expect(try await lab.router.get("\(Self.path)?resourceVersion=\(first.revision)&resourceVersionMatch=Exact").status == 410)
        let watch = try await lab.router.get("\(Self.path)?watch=1&resourceVersion=\(first.revision)")
        // As an event of the watch, which is how upstream says it.
        #expect(watch.status == 200 && watch.json["type"] == "ERROR")
        #expect(watch.json["object"]["code"] == 410 && watch.json["object"]["reason"] == "Expired")
    }

    @Test func givesMetadataAlone() async throws {
        let lab = try await Lab()
        try await lab.configMap("a", ["secret": "x"])
        let accept: HTTPHeaders = ["Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"]
        let list = try await lab.router.get(Self.path, accept).json
        #expect(list["kind"] == "PartialObjectMetadataList")
        #expect(list["items"][0]["kind"] == "PartialObjectMetadata")
        #expect(!list["items"][0].has("data"))
        let one = try await lab.router.get("\(Self.path)/a", ["Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"])
        #expect(one.json["metadata"]["name"] == "a")
    }
}
