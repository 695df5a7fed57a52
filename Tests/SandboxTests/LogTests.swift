import Glibc
import Sandbox
import Testing

@Suite("The log", .enabled(if: Machine.canSandbox), .serialized)
struct LogTests {
    @Test func linesKeepTheirStreamAndOrder() async throws {
        try await withHarness { harness in
            let script = "for i in 1 2 3; do echo out $i; sleep 0.03; echo err $i >&2; sleep 0.03; done"
            let log = try await harness.run(harness.shell(script)).log
            #expect(log.map { "\($0.stream) \($0.text)" } == (1...3).flatMap { ["stdout out \($0)", "stderr err \($0)"] })
            #expect(log.allSatisfy { !$0.isPartial })
        }
    }

    @Test func mergedStreamsAreInTheExactOrderOfWrites() async throws {
        try await withHarness { harness in
            var spec = try harness.shell("for i in $(seq 500); do echo o$i; echo e$i >&2; done")
            spec.log.mergeStreams = true
            let log = try await harness.run(spec).log
            #expect(log.count == 1000)
            #expect(log.map(\.text) == (1...500).flatMap { ["o\($0)", "e\($0)"] })
        }
    }

    @Test func aLineWithoutItsEndIsAPart() async throws {
        try await withHarness { harness in
            let log = try await harness.run(harness.shell("echo whole; printf rest")).log
            #expect(log.map(\.isPartial) == [false, true])
            #expect(log.last?.text == "rest")
        }
    }

    @Test func aLongLineIsCutAndLosesNothing() async throws {
        try await withHarness { harness in
            let script = "head -c 10000000 /dev/zero | tr '\\0' x; echo; echo after"
            let log = try await harness.run(harness.shell(script)).log
            #expect(log.last?.text == "after")
            // Sizes first: a failed expectation prints what it compares.
            let sizes = log.dropLast().map(\.text.utf8.count)
            let parts = log.dropLast().map(\.isPartial)
            #expect(sizes.reduce(0, +) == 10_000_000)
            #expect(sizes.dropLast().allSatisfy { $0 == 16384 })
            #expect(parts.dropLast().allSatisfy { $0 } && parts.last == false)
        }
    }

    @Test func rotationKeepsTheNewestInOrder() async throws {
        try await withHarness { harness in
            var spec = try harness.shell("seq 1 20000")
            spec.log.maxBytes = 64 << 10
            spec.log.maxFiles = 3
            _ = try await harness.run(spec)
            var numbers: [Int] = []
            for path in ["\(spec.log.path).2", "\(spec.log.path).1", spec.log.path] {
                #expect(try Machine.bytes(of: path).count <= 64 << 10)
                numbers += try LogLine.parse(path).compactMap { Int($0.text) }
            }
            #expect(access("\(spec.log.path).3", F_OK) != 0)
            #expect(numbers.last == 20000)
            #expect(numbers == Array((numbers.first ?? 0)...20000))
        }
    }

    @Test func withoutRotationNothingIsLost() async throws {
        try await withHarness { harness in
            var spec = try harness.shell("seq 1 300000")
            spec.log.maxBytes = 0
            let log = try await harness.run(spec).log
            #expect(log.count == 300_000)
            #expect(log.first?.text == "1" && log.last?.text == "300000")
        }
    }

    /// The 1 GB of the specification takes four seconds; a tenth of it exercises the same path.
    @Test func muchOutputNeedsNoMemory() async throws {
        try await withHarness { harness in
            var spec = try harness.shell("yes 0123456789012345678901234567890123456789 | head -c 100000000; sleep 0.3")
            spec.log.maxBytes = 1 << 20
            spec.log.maxFiles = 2
            let sandbox = try await harness.runtime.start(spec)
            let supervisor = try Machine.text(of: spec.stateDirectory + "/state").split(separator: "\n")
                .first { $0.hasPrefix("supervisor=") }?.dropFirst(11) ?? ""
            try await Task.sleep(for: .milliseconds(200))
            let pages = try Machine.text(of: "/proc/\(supervisor)/statm").split(separator: " ").compactMap { Int($0) }
            #expect(pages.count > 1 && pages[1] * 4096 < 8 << 20)
            #expect(await sandbox.wait().exitCode == 0)
        }
    }

    @Test func aFullDiskStopsNeitherTheContainerNorItsRecord() async throws {
        try await withHarness { harness in
            let disk = harness.directory + "/disk"
            try Harness.makeDirectory(disk)
            guard mount("tmpfs", disk, "tmpfs", 0, "size=1m") == 0 else {
                throw SandboxError.system(operation: "mount a small tmpfs", errno: errno)
            }
            defer { umount2(disk, Int32(MNT_DETACH)) }
            let ballast = disk + "/ballast"
            try Machine.write(String(repeating: "x", count: 600_000), to: ballast)
            var spec = try harness.shell("seq 1 200000; : > /flag/full; until [ -e /flag/go ]; do sleep 0.02; done; echo after; exit 3")
            try Harness.makeDirectory(disk + "/state")
            try Harness.makeDirectory(harness.directory + "/flag")
            spec.stateDirectory = disk + "/state"
            spec.log.path = disk + "/log"
            spec.mounts.append(Mount(kind: .bind(source: harness.directory + "/flag", subPath: nil), target: "/flag"))
            let sandbox = try await harness.runtime.start(spec)
            while access(harness.directory + "/flag/full", F_OK) != 0 { try await Task.sleep(for: .milliseconds(5)) }
            // What is still in the pipe when the program has written it all.
            try await Task.sleep(for: .milliseconds(200))
            unlink(ballast)
            try Machine.write("", to: harness.directory + "/flag/go")
            let record = await sandbox.wait()
            #expect(record.exitCode == 3)
            let log = try harness.log(spec)
            #expect(log.first?.text == "1")
            #expect(log.last?.text == "after")
            #expect(log.contains { $0.stream == "stderr" && $0.text.contains("bytes of output are missing here") })
            guard case .finished(let kept) = try harness.runtime.adopt(stateDirectory: spec.stateDirectory) else {
                Issue.record("the exit record is missing")
                return
            }
            #expect(kept == record)
        }
    }
}
