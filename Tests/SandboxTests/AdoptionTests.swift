import CSandbox
import Glibc
import Testing

@testable import Sandbox

@Suite("After the daemon's end", .enabled(if: Machine.canSandbox), .serialized)
struct AdoptionTests {
    private func secondRuntime() throws -> SandboxRuntime {
        try SandboxRuntime(configuration: SandboxConfiguration(shimPath: Machine.shimPath, instance: "test", warmSupervisors: 0))
    }

    @Test func aRunningContainerIsAdoptedAndItsEndSeen() async throws {
        try await withHarness { harness in
            let spec = try harness.shell("sleep 3; echo still here; exit 9")
            var first: SandboxRuntime? = try secondRuntime()
            _ = try await first?.start(spec)
            first = nil
            guard case .running(let sandbox) = try secondRuntime().adopt(stateDirectory: spec.stateDirectory) else {
                Issue.record("it was not found running")
                return
            }
            let record = await sandbox.wait()
            #expect(record.exitCode == 9)
            #expect(try harness.log(spec).map(\.text) == ["still here"])
            #expect(record.startedAt == sandbox.startedAt)
        }
    }

    @Test func anAdoptedContainerCanBeKilled() async throws {
        try await withHarness { harness in
            let spec = try harness.spec("sleep", "1000")
            _ = try await harness.runtime.start(spec)
            guard case .running(let sandbox) = try secondRuntime().adopt(stateDirectory: spec.stateDirectory) else {
                Issue.record("it was not found running")
                return
            }
            sandbox.kill()
            #expect(await sandbox.wait().exitCode == 137)
        }
    }

    @Test func oneThatEndedMeanwhileIsFinished() async throws {
        try await withHarness { harness in
            let spec = try harness.shell("exit 4")
            let record = try await harness.run(spec).exit
            guard case .finished(let found) = try secondRuntime().adopt(stateDirectory: spec.stateDirectory) else {
                Issue.record("its exit record was not found")
                return
            }
            #expect(found == record)
        }
    }

    @Test func withoutRecordsNothingEverRan() async throws {
        try await withHarness { harness in
            let spec = try harness.spec("true")
            guard case .lost(neverStarted: true) = try harness.runtime.adopt(stateDirectory: spec.stateDirectory) else {
                Issue.record("an empty directory holds a container")
                return
            }
        }
    }

    @Test func aKilledSupervisorTakesItsContainerAlongAndIsLost() async throws {
        try await withHarness { harness in
            let word = "kindling-lost-\(getpid())"
            let spec = try harness.shell("sleep 1000; : \(word)")
            let sandbox = try await harness.runtime.start(spec)
            let state = try #require(try StateRecord.read(spec.stateDirectory))
            kill(state.supervisorPID, SIGKILL)
            let record = await sandbox.wait()
            #expect(record.failure?.kind == .lost)
            for _ in 0..<100 where Machine.processes(with: word) > 0 { try await Task.sleep(for: .milliseconds(10)) }
            #expect(Machine.processes(with: word) == 0)
            guard case .lost(neverStarted: false) = try harness.runtime.adopt(stateDirectory: spec.stateDirectory) else {
                Issue.record("it is not lost")
                return
            }
        }
    }

    /// Pids are reused: a record that names a process with another start time names a stranger.
    @Test func aStrangerWithTheRecordedPidIsNotTouched() async throws {
        try await withHarness { harness in
            let spec = try harness.spec("true")
            let boot = try Machine.text(of: "/proc/sys/kernel/random/boot_id").prefix(36)
            let text = """
                supervisor=\(getpid())
                supervisor_start=1
                init=\(getpid())
                init_start=1
                boot=\(boot)
                started=1
                end

                """
            try Machine.write(text, to: spec.stateDirectory + "/state")
            guard case .lost(neverStarted: false) = try harness.runtime.adopt(stateDirectory: spec.stateDirectory) else {
                Issue.record("the test itself was taken for a container")
                return
            }
        }
    }

    /// The daemon may die at any moment of a start. Then either a record exists by the time its successor looks, or the
    /// program never runs.
    @Test func aStartCutShortRunsOnlyIfItIsOnRecord() async throws {
        try await withHarness { harness in
            let shim = OwnedDescriptor(ksb_sealed_copy(Machine.shimPath))
            let identity = try IdentityMap.current()
            let choice = try identity.choice(user: 0, group: 0, own: true)
            for delay in 0..<30 {
                let spec = try harness.shell("echo ran")
                let bytes = try SpecEncoder.encode(
                    spec, in: .init(identity: choice, seccomp: [], bootID: "x", limitProcessesByUser: false))
                var supervisor: Supervisor? = try Supervisor.spawn(executable: shim, userNamespace: nil, groups: [])
                let sealed = OwnedDescriptor(bytes.withUnsafeBytes { ksb_sealed_bytes($0.baseAddress, $0.count) })
                #expect(supervisor?.send(spec: sealed) == true)
                usleep(UInt32(delay * 40))
                let pidfd = try #require(supervisor?.pidfd)
                supervisor = nil  // closes the control socket, as the daemon's death does
                let onRecord = try StateRecord.read(spec.stateDirectory) != nil
                var reaped = ksb_reap(pidfd.number)
                while reaped == 0 {
                    try await Task.sleep(for: .milliseconds(1))
                    reaped = ksb_reap(pidfd.number)
                }
                let ran = try !harness.log(spec).isEmpty
                #expect(!ran || onRecord)
            }
        }
    }

    @Test func whatTheContainerLeftIsRemovedWhoeverOwnsIt() async throws {
        try await withHarness { harness in
            let outside = harness.directory + "/outside"
            try Machine.write("mine", to: outside)
            let deep = "d=/; for i in $(seq 150); do d=$d/x; mkdir $d; done; "
            let spec = try harness.shell(
                deep + "mkdir /closed; touch /closed/file; chmod 0 /closed; ln -s \(harness.directory) /link; ln -s \(outside) /file; chown 1234 /closed 2>/dev/null; true")
            #expect(try await harness.run(spec).exit.exitCode == 0)
            try await harness.runtime.remove(stateDirectory: spec.stateDirectory)
            #expect(access(spec.stateDirectory, F_OK) != 0)
            #expect(try Machine.text(of: outside) == "mine")
            try await harness.runtime.remove(stateDirectory: spec.stateDirectory)
        }
    }
}
