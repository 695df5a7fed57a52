import Glibc
import Sandbox
import Testing

@Suite("How a container ends", .enabled(if: Machine.canSandbox), .serialized)
struct EndingTests {
    @Test func exitCodeIsTheProgramsOwn() async throws {
        try await withHarness { harness in
            for code in [0, 1, 7, 255] {
                let record = try await harness.run(harness.shell("exit \(code)")).exit
                #expect(record.exitCode == Int32(code))
                #expect(record.signal == 0)
                #expect(record.failure == nil)
                #expect(record.startedAt > 0 && record.finishedAt >= record.startedAt)
            }
        }
    }

    @Test func aSignalIsToldFromAnExitCode() async throws {
        try await withHarness { harness in
            for signal in [SIGTERM, SIGSEGV, SIGKILL] {
                let record = try await harness.run(harness.shell("kill -\(signal) $$")).exit
                #expect(record.signal == signal)
                #expect(record.exitCode == 128 + signal)
                #expect(!record.oomKilled)
            }
            let record = try await harness.run(harness.shell("exit 143")).exit
            #expect(record.signal == 0 && record.exitCode == 143)
        }
    }

    @Test func outOfMemoryIsToldFromAKill() async throws {
        try await withHarness { harness in
            var spec = try harness.spec("python3", "-c", "x = bytearray(300_000_000); import time; time.sleep(20)")
            spec.limits.memoryBytes = 64 << 20
            let record = try await harness.run(spec).exit
            #expect(record.oomKilled)
            #expect(record.exitCode == 137 && record.signal == SIGKILL)

            var enough = try harness.spec("python3", "-c", "x = bytearray(30_000_000)")
            enough.limits.memoryBytes = 256 << 20
            let fine = try await harness.run(enough).exit
            #expect(fine.exitCode == 0 && !fine.oomKilled)
        }
    }

    @Test func whatItHasSpentStaysInItsRecord() async throws {
        try await withHarness { harness in
            let work = "x = bytearray(50_000_000)\nimport time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
            let spec = try harness.spec("python3", "-c", work)
            #expect(SpentResources.read(stateDirectory: spec.stateDirectory) == nil, "before it has run")
            _ = try await harness.run(spec)
            let spent = try #require(SpentResources.read(stateDirectory: spec.stateDirectory))
            #expect(spent.cpuNanoseconds > 190_000_000 && spent.wallNanoseconds > 190_000_000 && spent.memoryPeakBytes > 50_000_000)
            #expect((spent + spent).cpuNanoseconds == 2 * spent.cpuNanoseconds && (spent + spent).memoryPeakBytes == spent.memoryPeakBytes)
        }
    }

    @Test func termIsForwardedToTheProgram() async throws {
        try await withHarness { harness in
            let spec = try harness.shell("trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.02; done")
            let sandbox = try await harness.runtime.start(spec)
            // A signal before the trap is set would end the shell; its word tells when it is.
            while try harness.log(spec).isEmpty { try await Task.sleep(for: .milliseconds(5)) }
            try sandbox.signal(SIGTERM)
            let record = await sandbox.wait()
            #expect(record.exitCode == 5)
            #expect(try harness.log(spec).last?.text == "bye")
            try sandbox.signal(SIGTERM)
        }
    }

    @Test func killLeavesNoProcess() async throws {
        try await withHarness { harness in
            let word = "kindling-stubborn-\(getpid())"
            // Children that ignore everything, left their session, and an orphan two generations down.
            let spec = try harness.shell(
                "trap '' TERM INT HUP; for i in 1 2 3; do setsid sh -c 'trap \"\" TERM; sleep 1000; : \(word)' & done; "
                    + "(setsid sh -c 'sleep 1000; : \(word)' &) ; echo up; sleep 1000")
            let sandbox = try await harness.runtime.start(spec)
            while try harness.log(spec).isEmpty { try await Task.sleep(for: .milliseconds(5)) }
            #expect(Machine.processes(with: word) >= 4)
            sandbox.kill()
            let record = await sandbox.wait()
            #expect(record.exitCode == 137 && !record.oomKilled)
            #expect(Machine.processes(with: word) == 0)
        }
    }

    @Test func aGrandchildWithOpenOutputDoesNotKeepItAlive() async throws {
        try await withHarness { harness in
            let start = ContinuousClock.now
            let record = try await harness.run(harness.shell("setsid sleep 1000 & echo done")).exit
            #expect(record.exitCode == 0)
            #expect(ContinuousClock.now - start < .seconds(5))
        }
    }

    @Test func orphansAreCollected() async throws {
        try await withHarness { harness in
            let script = "for i in $(seq 50); do (true &) ; done; sleep 0.2; grep -l 'State:.Z' /proc/[0-9]*/status | wc -l"
            let zombies = try await harness.output(harness.shell(script))
            #expect(zombies == "0")
        }
    }

    @Test func aForkBombStaysInItsLimit() async throws {
        try await withHarness { harness in
            var spec = try harness.spec("bash", "-c", "f() { f | f & }; f 2>/dev/null; while :; do :; done")
            spec.limits.pids = 64
            let sandbox = try await harness.runtime.start(spec)
            var most: UInt64 = 0
            for _ in 0..<10 {
                if let statistics = try? sandbox.statistics() { most = max(most, statistics.pids) }
                try await Task.sleep(for: .milliseconds(20))
            }
            sandbox.kill()
            #expect(await sandbox.wait().exitCode == 137)
            #expect(most > 1 && most <= 66)
        }
    }

    @Test func aProgramThatCannotRunSaysWhy() async throws {
        try await withHarness { harness in
            func failure(_ program: String) async throws -> SetupFailure? {
                do {
                    _ = try await harness.runtime.start(harness.spec(program))
                    return nil
                } catch let failure as SetupFailure {
                    return failure
                }
            }
            #expect(try await failure("no-such-program")?.kind == .commandNotFound)
            #expect(try await failure("/usr/bin/no-such-program")?.kind == .commandNotFound)
            #expect(try await failure("/etc/passwd")?.kind == .permissionDenied)
            let message = try await failure("no-such-program")?.message ?? ""
            #expect(message.contains("executable file not found in $PATH"))
        }
    }

    @Test func aFileOfNoFormatIsNotExecutable() async throws {
        try await withHarness { harness in
            let path = harness.directory + "/garbage"
            try Machine.write("\u{1}\u{2}garbage", to: path)
            chmod(path, 0o755)
            var spec = try harness.spec("/garbage")
            spec.mounts.append(Mount(kind: .bind(source: path, subPath: nil), target: "/garbage"))
            await #expect { _ = try await harness.runtime.start(spec) } throws: { ($0 as? SetupFailure)?.kind == .notExecutable }

            try Machine.write("#!/no/such/interpreter\n", to: path)
            spec = try harness.spec("/garbage")
            spec.mounts.append(Mount(kind: .bind(source: path, subPath: nil), target: "/garbage"))
            await #expect { _ = try await harness.runtime.start(spec) } throws: { ($0 as? SetupFailure)?.kind == .notExecutable }
        }
    }

    @Test func aFailedSetUpNamesTheStepAndLeavesARecord() async throws {
        try await withHarness { harness in
            var spec = try harness.spec("true")
            spec.mounts.append(Mount(kind: .bind(source: "/no/such/volume", subPath: nil), target: "/data"))
            do {
                _ = try await harness.runtime.start(spec)
                Issue.record("a missing volume was mounted")
            } catch let failure as SetupFailure {
                #expect(failure.kind == .setup)
                #expect(failure.step == "mount volume /data")
                #expect(failure.errno == ENOENT)
                #expect(failure.message.contains("/no/such/volume"))
                guard case .finished(let record) = try harness.runtime.adopt(stateDirectory: spec.stateDirectory) else {
                    Issue.record("no exit record")
                    return
                }
                #expect(record.exitCode == 128 && record.startedAt == 0)
                #expect(record.failure == failure)
            }
        }
    }

    @Test func unusableSpecsAreRefusedBeforeAnythingStarts() async throws {
        try await withHarness { harness in
            var spec = try harness.spec("true")
            spec.environment.append("A=\0B")
            await #expect(throws: SandboxError.self) { _ = try await harness.runtime.start(spec) }
            spec = try harness.spec("true")
            spec.identifier = "../../x"
            await #expect(throws: SandboxError.self) { _ = try await harness.runtime.start(spec) }
            spec = try harness.spec("true")
            spec.mounts.append(Mount(kind: .bind(source: "relative", subPath: nil), target: "/x"))
            await #expect(throws: SandboxError.self) { _ = try await harness.runtime.start(spec) }
        }
    }
}
