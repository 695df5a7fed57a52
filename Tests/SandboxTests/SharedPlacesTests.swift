import Glibc
import Sandbox
import Testing

@Suite(.enabled(if: Machine.canSandbox), .timeLimit(.minutes(1)))
struct SharedPlacesTests {
    @Test func outliveTheContainersThatUseThem() async throws {
        try await withHarness { harness in
            let directory = "\(harness.directory)/shared"
            try Harness.makeDirectory(directory)
            let places = SharedPlaces(directory: directory)
            try places.make()
            var seen: [String] = []
            for script in ["echo kept > /dev/shm/x", "cat /dev/shm/x"] {
                var spec = try harness.shell("\(script); readlink /proc/self/ns/ipc")
                spec.namespaces.ipc = places.ipc
                spec.mounts.append(Mount(kind: .bind(source: places.memory, subPath: nil), target: "/dev/shm"))
                let output = try await harness.output(spec).split(separator: "\n").map(String.init)
                seen += output
                // Another daemon makes them again, and finds them.
                try places.make()
            }
            #expect(seen.count == 3)
            #expect(seen[0] == seen[2], "one ipc namespace")
            #expect(seen[1] == "kept")
            try places.remove()
            try places.remove()
        }
    }
}
