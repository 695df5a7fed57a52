import NIOHTTP1
import Testing

@testable import KubeModel
@testable import KubeServer
@testable import Registry

@Suite struct WarningHeaderTests {
    private static let pods = "/api/v1/namespaces/team/pods"
    private static let apply = "application/apply-patch+yaml"

    private func pod(_ name: String) -> JSON {
        ["apiVersion": "v1", "kind": "Pod", "metadata": ["name": .string(name)],
         "spec": ["nodeSelector": ["beta.kubernetes.io/os": "linux"], "containers": [["name": "c", "image": "busybox"]]]]
    }
    private static let old = #"299 - "spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \"kubernetes.io/os\" instead""#

    @Test func everyWayToMakeAPodTellsOfIt() async throws {
        let client = try await Lab().router
        #expect(try await client.send(.POST, Self.pods, pod("a")).headers["warning"] == [Self.old])
        let tried = try await client.send(.POST, "\(Self.pods)?dryRun=All", pod("b"))
        #expect(tried.status == 201 && tried.headers["warning"] == [Self.old])
        let applied = try await client.send(.PATCH, "\(Self.pods)/c?fieldManager=m", pod("c"), type: Self.apply)
        #expect(applied.status == 201 && applied.headers["warning"] == [Self.old])
        let triedApply = try await client.send(.PATCH, "\(Self.pods)/d?fieldManager=m&dryRun=All", pod("d"), type: Self.apply)
        #expect(triedApply.headers["warning"] == [Self.old])
    }

    @Test func anErrorTellsOfUnknownFieldsToo() async throws {
        var broken = pod("a")
        broken["spec"]["odd"] = 1
        broken["spec"]["containers"] = [["name": "B A D", "image": "busybox"]]
        let answer = try await Lab().router.send(.POST, Self.pods, broken)
        #expect(answer.status == 422 && answer.headers["warning"] == [#"299 - "unknown field \"spec.odd\"""#])
    }

    @Test func textsComeOnceAndNotTooMuchOfThem() {
        var few = WarningRecorder()
        for text in ["a", "b\"\\\n", "a", ""] { few.add(text) }
        #expect(few.headers == [#"299 - "a""#, #"299 - "b\"\\ ""#])
        var many = WarningRecorder()
        for number in 0..<30 { many.add("\(number % 10)" + String(repeating: "é", count: 300 + number)) }
        #expect(many.headers.count == 16 && many.headers.allSatisfy { $0.unicodeScalars.count == 256 + 8 })
        var whole = WarningRecorder()
        whole.add(String(repeating: "x", count: 4096))
        #expect(whole.headers.first?.count == 4096 + 8)
    }

    @Test func deprecatedVersionsSaySoWhateverIsAsked() async throws {
        let lab = try await Lab()
        let client = lab.router
        #expect(try await client.get("/api/v1/componentstatuses").headers["warning"] == [#"299 - "v1 ComponentStatus is deprecated in v1.19+""#])
        let schema: JSON = ["openAPIV3Schema": ["type": "object"]]
        let versions: JSON = [
            ["name": "v1", "served": true, "storage": true, "schema": schema],
            ["name": "v1alpha1", "served": true, "storage": false, "deprecated": true, "schema": schema],
            ["name": "v1beta1", "served": true, "storage": false, "deprecated": true, "deprecationWarning": "use v1", "schema": schema],
        ]
        let made = try await client.send(.POST, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", [
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": ["name": "kites.example.com"],
            "spec": ["group": "example.com", "scope": "Namespaced", "names": ["plural": "kites", "kind": "Kite"], "versions": versions],
        ])
        #expect(made.status == 201 && made.headers["warning"] == [])
        for (version, expected) in [("v1", []), ("v1alpha1", [#"299 - "example.com/v1alpha1 Kite is deprecated""#]), ("v1beta1", [#"299 - "use v1""#])] {
            let path = "/apis/example.com/\(version)/namespaces/team/kites"
            #expect(try await client.get(path).headers["warning"] == expected)
            #expect(try await client.get("\(path)/none").headers["warning"] == expected)
        }
    }
}
