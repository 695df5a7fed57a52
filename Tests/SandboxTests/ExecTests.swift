import Glibc
import Testing

@testable import Sandbox

@Suite("Another program in a running container", .enabled(if: Machine.canSandbox), .serialized)
struct ExecTests {
    /// Starts a container, waits for its first line, and ends it after.
    private func withContainer(
        _ harness: Harness, _ spec: SandboxSpec, _ body: (Sandbox) async throws -> Void
    ) async throws {
        let sandbox = try await harness.runtime.start(spec)
        defer { sandbox.kill() }
        while try harness.log(spec).isEmpty { try await Task.sleep(for: .milliseconds(2)) }
        try await body(sandbox)
        sandbox.kill()
        _ = await sandbox.wait()
    }

    private func output(_ process: ExecProcess, _ stream: ExecProcess.Stream = .output) async throws -> String {
        var bytes: [UInt8] = []
        while let piece = try await process.read(stream) { bytes += piece }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Everything that a program can see of its own rights and surroundings.
    private static let surroundings = """
        for n in cgroup ipc mnt net pid user uts; do readlink /proc/self/ns/$n; done; ls -id /; pwd; umask
        grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp|Seccomp_filters|SigIgn|SigBlk):' /proc/self/status
        cat /proc/self/limits; cat /proc/self/cgroup; hostname; env | grep -v ^_= | sort; echo end
        """

    @Test func itHasWhatTheContainersOwnProgramHas() async throws {
        try await withHarness { harness in
            for user: UInt32 in [0, 1000] {
                var spec = try harness.shell("{ \(Self.surroundings)\n}; sleep 1000")
                (spec.user, spec.group) = (user, user)
                if !Machine.hasOneId { spec.supplementaryGroups = [2000] }
                spec.workingDirectory = "/var"
                spec.environment += ["OWN=of the container"]
                spec.umask = 0o027
                spec.limits.memoryBytes = 512 << 20
                let sandbox = try await harness.runtime.start(spec)
                while try harness.log(spec).last?.text != "end" { try await Task.sleep(for: .milliseconds(2)) }
                let process = try await harness.runtime.exec(ExecRequest(["sh", "-c", Self.surroundings]), in: sandbox)
                let seen = try await output(process)
                #expect(await process.wait() == ExecExit(exitCode: 0))
                let own = try harness.log(spec).map(\.text).joined(separator: "\n") + "\n"
                #expect(seen == own)
                #expect(seen.contains("OWN=of the container") && seen.contains("NoNewPrivs:\t1"))
                sandbox.kill()
                _ = await sandbox.wait()
            }
        }
    }

    @Test func onlyTheThreeStandardDescriptorsAreOpenAndAreItsUsers() async throws {
        try await withHarness { harness in
            var spec = try harness.shell("echo up; sleep 1000")
            (spec.user, spec.group) = (1000, 1000)
            try await withContainer(harness, spec) { sandbox in
                let code = "import os; print(sorted(int(f) for f in os.listdir('/proc/self/fd')), os.getppid(), flush=True); open('/dev/stdout', 'w').write('again')"
                for usesTerminal in [false, true] {
                    let process = try await harness.runtime.exec(ExecRequest(["python3", "-c", code], usesTerminal: usesTerminal), in: sandbox)
                    #expect(try await output(process).filter { $0 != "\r" && $0 != "\r\n" && $0 != "\n" } == "[0, 1, 2, 3] 0again")
                    #expect(await process.wait().exitCode == 0)
                }
            }
        }
    }

    @Test func largeInputComesBackWholeAndEnds() async throws {
        try await withHarness { harness in
            try await withContainer(harness, harness.shell("echo up; sleep 1000")) { sandbox in
                let process = try await harness.runtime.exec(ExecRequest(["cat"], takesInput: true), in: sandbox)
                let sent = (0..<(5 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 9) }
                async let written = process.write(sent)
                var received: [UInt8] = []
                while received.count < sent.count, let piece = try await process.read() { received += piece }
                #expect(try await written)
                process.closeInput()
                #expect(try await process.read() == nil)
                #expect(received == sent)
                #expect(await process.wait().exitCode == 0)
            }
        }
    }

    @Test func streamsAreApartOrMerged() async throws {
        try await withHarness { harness in
            try await withContainer(harness, harness.shell("echo up; sleep 1000")) { sandbox in
                let script = ["sh", "-c", "echo one; echo two >&2; echo three; exit 7"]
                let process = try await harness.runtime.exec(ExecRequest(script), in: sandbox)
                async let errors = output(process, .error)
                #expect(try await output(process) == "one\nthree\n")
                #expect(try await errors == "two\n")
                #expect(await process.wait() == ExecExit(exitCode: 7))
                let result = try await harness.runtime.run(script, in: sandbox)
                #expect(result == ExecResult(exitCode: 7, output: Array("one\ntwo\nthree\n".utf8)))
            }
        }
    }

    @Test func signalsReachTheWholeGroup() async throws {
        try await withHarness { harness in
            try await withContainer(harness, harness.shell("echo up; sleep 1000")) { sandbox in
                let process = try await harness.runtime.exec(ExecRequest(["sh", "-c", "echo on; sleep 1000; :"]), in: sandbox)
                _ = try await process.read()
                process.signal(SIGTERM)
                #expect(await process.wait() == ExecExit(exitCode: 143, signal: SIGTERM))
                #expect(try await process.read() == nil)
            }
        }
    }

    @Test func aTerminalHasASizeAndEchoes() async throws {
        try await withHarness { harness in
            try await withContainer(harness, harness.shell("echo up; sleep 1000")) { sandbox in
                let script = "trap 'stty size; exit 3' WINCH; tty; echo $TERM; test -t 0 -a -t 1 -a -t 2 && echo all; while :; do sleep 0.02; done"
                let process = try await harness.runtime.exec(ExecRequest(["bash", "-c", script], usesTerminal: true), in: sandbox)
                var seen = ""
                while !seen.contains("all"), let piece = try await process.read() { seen += String(decoding: piece, as: UTF8.self) }
                #expect(seen.contains("/dev/pts/") && seen.contains("xterm"))
                process.resize(columns: 132, rows: 43)
                #expect(try await output(process).contains("43 132"))
                #expect(await process.wait().exitCode == 3)

                let cat = try await harness.runtime.exec(ExecRequest(["cat"], usesTerminal: true), in: sandbox)
                try await cat.write(Array("typed\n".utf8))
                var echo = ""
                while echo.components(of: "typed") < 2, let piece = try await cat.read() { echo += String(decoding: piece, as: UTF8.self) }
                try await cat.write([4])
                #expect(await cat.wait().exitCode == 0)
            }
        }
    }

    @Test func whatAProgramLeavesBehindHoldsNothingOpen() async throws {
        try await withHarness { harness in
            try await withContainer(harness, harness.shell("echo up; sleep 1000")) { sandbox in
                let result = try await harness.runtime.run(["sh", "-c", "sleep 1000 & echo done"], in: sandbox)
                #expect(result == ExecResult(exitCode: 0, output: Array("done\n".utf8)))
            }
        }
    }

    @Test func aCommandThatTakesTooLongIsKilled() async throws {
        try await withHarness { harness in
            try await withContainer(harness, harness.shell("echo up; sleep 1000")) { sandbox in
                let word = "exec-\(getpid())"
                let result = try await harness.runtime.run(
                    ["sh", "-c", "echo before; sleep 1000; : \(word)"], in: sandbox, timeout: .milliseconds(300))
                #expect(result == ExecResult(exitCode: 137, output: Array("before\n".utf8), hasTimedOut: true))
                #expect(Machine.processes(with: word) == 0)
                let long = try await harness.runtime.run(["head", "-c", "1000000", "/dev/zero"], in: sandbox, outputLimit: 100)
                #expect(long.output.count == 100 && long.isTruncated && long.exitCode == 0)
            }
        }
    }

    @Test func oneThatNobodyHoldsIsToldToHangUp() async throws {
        try await withHarness { harness in
            try await withContainer(harness, harness.shell("echo up; sleep 1000")) { sandbox in
                let word = "hangup-\(getpid())"
                var process: ExecProcess? = try await harness.runtime.exec(ExecRequest(["sh", "-c", "echo on; sleep 1000; : \(word)"]), in: sandbox)
                _ = try await process?.read()
                #expect(Machine.processes(with: word) > 0)
                process = nil
                for _ in 0..<500 where Machine.processes(with: word) > 0 { try await Task.sleep(for: .milliseconds(10)) }
                #expect(Machine.processes(with: word) == 0)
            }
        }
    }

    @Test func aProgramThatCannotRunSaysWhy() async throws {
        try await withHarness { harness in
            try await withContainer(harness, harness.shell("echo up; sleep 1000")) { sandbox in
                for usesTerminal in [false, true] {
                    let request = ExecRequest(["no-such-program"], usesTerminal: usesTerminal)
                    await #expect { _ = try await harness.runtime.exec(request, in: sandbox) } throws: {
                        ($0 as? SetupFailure)?.kind == .commandNotFound
                    }
                }
                await #expect(throws: SandboxError.self) { _ = try await harness.runtime.exec(ExecRequest([]), in: sandbox) }
            }
        }
    }

    @Test func aContainerMayShareAnothersProcesses() async throws {
        try await withHarness { harness in
            let word = "shared-\(getpid())"
            let target = try harness.shell("readlink /proc/self/ns/pid /proc/self/ns/user; while :; do sleep 0.1; : \(word); done")
            try await withContainer(harness, target) { sandbox in
                var spec = try harness.shell(
                    "readlink /proc/self/ns/pid /proc/self/ns/user; cat /proc/1/comm; grep -lz \(word) /proc/2/cmdline; setsid sleep 1000 & readlink /proc/self/ns/mnt; exit 5")
                spec.namespaces.processes = sandbox.processNamespaces
                let run = try await harness.run(spec)
                #expect(run.exit.exitCode == 5 && run.exit.failure == nil)
                let lines = run.log.map(\.text)
                #expect(Array(lines.prefix(2)) == (try harness.log(target).map(\.text)))
                #expect(lines.contains("init") && lines.contains("/proc/2/cmdline"))
                #expect(sandbox.exitRecord == nil)
                // It ends with the other one.
                spec = try harness.shell("echo up; sleep 1000")
                spec.namespaces.processes = sandbox.processNamespaces
                let second = try await harness.runtime.start(spec)
                sandbox.kill()
                #expect(await second.wait().exitCode == 137)
            }
        }
    }

    @Test func itWorksInAnAdoptedContainerAndNotInAnEndedOne() async throws {
        try await withHarness { harness in
            let spec = try harness.shell("echo up; sleep 1000")
            _ = try await harness.runtime.start(spec)
            let second = try SandboxRuntime(configuration: SandboxConfiguration(shimPath: Machine.shimPath, instance: "test", warmSupervisors: 0))
            guard case .running(let adopted) = try second.adopt(stateDirectory: spec.stateDirectory) else {
                Issue.record("it was not found running")
                return
            }
            #expect(try await second.run(["echo", "hello"], in: adopted).output == Array("hello\n".utf8))
            let running = try await second.exec(ExecRequest(["sleep", "1000"]), in: adopted)
            adopted.kill()
            #expect(await running.wait().signal == SIGKILL)
            #expect(await adopted.wait().exitCode == 137)
            await #expect(throws: (any Error).self) { _ = try await second.run(["true"], in: adopted) }
        }
    }
}

extension String {
    fileprivate func components(of word: String) -> Int {
        var count = 0
        var rest = self[...]
        while let found = rest.firstRange(of: word) {
            count += 1
            rest = rest[found.upperBound...]
        }
        return count
    }
}
