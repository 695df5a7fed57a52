import KubeModel
import Testing

@testable import Registry

@Suite struct PodUpdateTests {
    private func lab(_ spec: JSON) async throws -> Lab {
        let lab = try await Lab()
        try await lab.create(Samples.pod("p", spec))
        return lab
    }

    private func refused(_ lab: Lab, _ spec: JSON) async throws -> String {
        try await refusal { try await lab.patch(.pods, "p", ["spec": spec], .merge) }?.message ?? ""
    }

    @Test func aPodStaysOnItsNode() async throws {
        let lab = try await lab(["nodeName": "here"])
        #expect(try await refused(lab, ["nodeName": "elsewhere"]).contains("spec: Forbidden: pod updates may not change fields other than"))
        #expect(try await refused(lab, ["nodeName": .null]).contains("spec: Forbidden"))
        #expect(try await refused(lab, ["terminationGracePeriodSeconds": 5]).contains("spec: Forbidden"))
        #expect(lab.get(.pods, "p")?.spec["nodeName"] == "here")
    }

    @Test func tolerationsAreOnlyAdded() async throws {
        let first: JSON = ["key": "a", "operator": "Exists", "effect": "NoExecute"]
        let lab = try await lab(["tolerations": [first]])
        let second: JSON = ["key": "b", "operator": "Exists"]
        #expect(try await refused(lab, ["tolerations": [second]]).contains("spec.tolerations: Forbidden: existing toleration can not be modified"))
        var timed = first
        timed["tolerationSeconds"] = 7
        try await lab.patch(.pods, "p", ["spec": ["tolerations": [timed, second]]], .merge)
        let tolerations: [JSON] = lab.get(.pods, "p")?.spec["tolerations"].elements ?? []
        #expect(Array(tolerations.prefix(2)) == [timed, second], "the default ones come behind")
    }

    @Test func aDeadlineIsSetOnceAndShortened() async throws {
        let lab = try await lab([:])
        try await lab.patch(.pods, "p", ["spec": ["activeDeadlineSeconds": 100]])
        try await lab.patch(.pods, "p", ["spec": ["activeDeadlineSeconds": 50]])
        #expect(try await refused(lab, ["activeDeadlineSeconds": 60]).contains("must be less than or equal to previous value"))
        #expect(try await refused(lab, ["activeDeadlineSeconds": .null]).contains("must not update from a positive integer to nil value"))
    }

    @Test func gatesAreOnlyTakenAway() async throws {
        let lab = try await lab(["schedulingGates": [["name": "example.com/a"], ["name": "example.com/b"]]])
        try await lab.patch(.pods, "p", ["spec": ["schedulingGates": [["name": "example.com/b"]]]], .merge)
        let gates: JSON = [["name": "example.com/b"], ["name": "example.com/c"]]
        #expect(try await refused(lab, ["schedulingGates": gates]).contains("found new scheduling gate 'example.com/c'"))
    }
}
