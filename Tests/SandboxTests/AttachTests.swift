import Glibc
import Testing

@testable import Sandbox

@Suite("Looking on at a container's own program", .enabled(if: Machine.canSandbox), .serialized)
struct AttachTests {
    private func text(_ program: AttachedProgram, until word: String, _ stream: ExecProcess.Stream = .output) async throws -> String {
        var seen = ""
        while !seen.contains(word), let piece = try await program.read(stream) { seen += String(decoding: piece, as: UTF8.self) }
        return seen
    }

    @Test func severalSeeTheOutputAndOneTypes() async throws {
        try await withHarness { harness in
            var spec = try harness.shell("while read l; do echo \"got $l\"; echo \"err $l\" >&2; done; echo eof; sleep 100")
            spec.input = .open
            let sandbox = try await harness.runtime.start(spec)
            let first = try await harness.runtime.attach(to: sandbox, takesInput: true)
            let second = try await harness.runtime.attach(to: sandbox, takesInput: false)
            #expect(try await first.write(Array("one\n".utf8)))
            #expect(try await text(first, until: "\n") == "got one\n")
            #expect(try await text(second, until: "\n") == "got one\n")
            #expect(try await text(second, until: "\n", .error) == "err one\n")
            #expect(try await !second.write([1]))
            // One that closes its input leaves it open for others.
            first.closeInput()
            let third = try await harness.runtime.attach(to: sandbox, takesInput: true)
            #expect(try await third.write(Array("two\n".utf8)))
            #expect(try await text(third, until: "\n") == "got two\n")
            sandbox.kill()
            #expect(try await third.read(.output) == nil)
            _ = await sandbox.wait()
            #expect(try harness.log(spec).map(\.text).filter { $0.hasPrefix("got") } == ["got one", "got two"])
            await #expect(throws: SandboxError.self) { _ = try await harness.runtime.attach(to: sandbox, takesInput: false) }
        }
    }

    @Test func inputForOneEndsWithIt() async throws {
        try await withHarness { harness in
            var spec = try harness.shell("cat; echo; echo eof; sleep 0.2; exit 6")
            spec.input = .once
            let sandbox = try await harness.runtime.start(spec)
            let program = try await harness.runtime.attach(to: sandbox, takesInput: true)
            #expect(try await program.write(Array("all".utf8)))
            program.closeInput()
            #expect(try await text(program, until: "eof\n") == "all\neof\n")
            #expect(await sandbox.wait().exitCode == 6)
        }
    }

    @Test func aTerminalIsSharedAndSized() async throws {
        try await withHarness { harness in
            var spec = try harness.spec("bash", "-c", "trap 'stty size' WINCH; tty; id -u; while :; do read -t 0.05 l && echo \"<$l>\"; done")
            (spec.user, spec.group) = (1000, 1000)
            spec.usesTerminal = true
            spec.input = .open
            let sandbox = try await harness.runtime.start(spec)
            while try harness.log(spec).count < 2 { try await Task.sleep(for: .milliseconds(5)) }
            #expect(try harness.log(spec).first?.text.hasPrefix("/dev/pts/") == true)
            let program = try await harness.runtime.attach(to: sandbox, takesInput: true)
            program.resize(columns: 100, rows: 40)
            #expect(try await text(program, until: "40 100").contains("40 100"))
            #expect(try await program.write(Array("typed\n".utf8)))
            #expect(try await text(program, until: "<typed>").contains("typed\r\n"))
            program.hangUp()
            #expect(try await program.read(.output) == nil)
            sandbox.kill()
            #expect(await sandbox.wait().exitCode == 137)
        }
    }

    /// Whoever does not read slows the program; nothing is lost, and one that goes is no hindrance.
    @Test func aSlowOneHoldsUpAndLosesNothing() async throws {
        try await withHarness { harness in
            var spec = try harness.shell("read go; i=0; while [ $i -lt 20000 ]; do echo \"line $i of some length to fill pipes with\"; i=$((i+1)); done; echo last")
            spec.input = .open
            let sandbox = try await harness.runtime.start(spec)
            let slow = try await harness.runtime.attach(to: sandbox, takesInput: true)
            var gone: AttachedProgram? = try await harness.runtime.attach(to: sandbox, takesInput: false)
            #expect(try await slow.write(Array("go\n".utf8)))
            _ = try await gone?.read(.output)
            gone = nil
            try await Task.sleep(for: .milliseconds(200))
            #expect(sandbox.exitRecord == nil)
            let seen = try await text(slow, until: "last\n")
            #expect(seen.split(separator: "\n").count == 20001)
            #expect(await sandbox.wait().exitCode == 0)
            #expect(try harness.log(spec).count == 20001)
        }
    }

    @Test func anAdoptedContainerCanBeAttachedTo() async throws {
        try await withHarness { harness in
            var spec = try harness.shell("read l; echo got $l; exit 3")
            spec.input = .open
            _ = try await harness.runtime.start(spec)
            let second = try SandboxRuntime(configuration: SandboxConfiguration(shimPath: Machine.shimPath, instance: "test", warmSupervisors: 0))
            guard case .running(let adopted) = try second.adopt(stateDirectory: spec.stateDirectory) else {
                Issue.record("it was not found running")
                return
            }
            let program = try await second.attach(to: adopted, takesInput: true)
            #expect(try await program.write(Array("word\n".utf8)))
            #expect(try await text(program, until: "\n") == "got word\n")
            #expect(await adopted.wait().exitCode == 3)
        }
    }
}
