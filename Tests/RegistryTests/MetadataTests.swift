import KubeModel
import Testing

@testable import Registry

/// What of the metadata cannot be written.
@Suite struct MetadataTests {
    private let map: JSON = ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "c", "finalizers": ["example.com/a"]]]

    @Test func noFinalizerIsAddedToWhatIsBeingDeleted() async throws {
        let lab = try await Lab()
        try await lab.create(map)
        try await lab.delete(.configMaps, "c")
        let more: JSON = ["metadata": ["finalizers": ["example.com/a", "example.com/b"]]]
        let status = try await refusal { try await lab.patch(.configMaps, "c", more, .merge) }
        #expect(status?.code == 422 && status?.causes.first?.field == "metadata.finalizers")
        #expect(status?.message.contains("no new finalizers can be added if the object is being deleted, found new finalizers []string{\"example.com/b\"}") == true)
        try await lab.patch(.configMaps, "c", ["metadata": ["finalizers": .null]], .merge)
        #expect(lab.get(.configMaps, "c") == nil)
    }

    @Test func theUidStays() async throws {
        let lab = try await Lab()
        let made = try await lab.create(map)
        let status = try await refusal { try await lab.patch(.configMaps, "c", ["metadata": ["uid": "another"]], .merge) }
        #expect(status?.code == 422 && status?.message.contains("metadata.uid: Invalid value: \"another\": field is immutable") == true)
        #expect(try await lab.patch(.configMaps, "c", ["metadata": ["uid": .null]], .merge).uid == made.uid)
    }

    @Test func aNewObjectHasNoResourceVersion() async throws {
        let lab = try await Lab()
        var object = map
        object["metadata"]["resourceVersion"] = "7"
        let status = try await refusal { try await lab.create(object) }
        #expect(status?.code == 400 && status?.message == "resourceVersion should not be set on objects to be created")
        object["metadata"]["resourceVersion"] = ""
        try await lab.create(object)
    }
}
