import CSandbox
import FoundationEssentials
import Testing

@testable import LabNetwork

#if canImport(Glibc)
import Glibc
#endif

/// The real lab-shim, in the way that `lab up` uses it.
@Suite(.serialized, .disabled(if: Inside.directory != nil)) struct HelperTests {
    private func withLab(_ who: Who, _ body: (Lab) async throws -> Void) async throws {
        let lab = try await Lab(who)
        do {
            try await body(lab)
        } catch {
            Issue.record(error, "helper.log: \(lab.log("helper")) labd.log: \(lab.log("labd"))")
        }
        await lab.end()
    }

    @Test(arguments: Who.possible)
    func startsLabdAsRootOfItsNamespaces(_ who: Who) async throws {
        try await withLab(who) { lab in
            let report = try await lab.launcher().launch()
            #expect(report.daemon.running && !report.adopted && report.lost.isEmpty)
            if geteuid() == 0 { #expect(report.idmap == [.tester: .identity, .userWithRanges: .ranges, .userWithOneId: .single][who]) }
            close(await lab.labdAlive())
            let start = try #require(try lab.starts().first)
            #expect(start.hasPrefix("0 net:["))
            let own = try await sh("readlink", ["/proc/self/ns/net"])
            #expect(!own.contains(start.dropFirst(2)))
            #expect(try await lab.client.status().pid == report.pid)
        }
    }

    @Test func refusesASecondHelper() async throws {
        try await withLab(.tester) { lab in
            let first = try await lab.launcher().launch()
            let error = await #expect(throws: NetworkError.self) { try await lab.launcher().launch() }
            #expect(error?.code == .alreadyRunning)
            #expect(error?.message.contains("process \(first.pid)") == true)
            try await lab.client.stop()
            // The twin: after the first has ended a new one may start, and finds labd.
            let second = try await lab.launcher().launch()
            #expect(second.adopted && second.daemon.pid == first.daemon.pid && second.lost.isEmpty)
        }
    }

    @Test func saysWhyLabdCannotBeExecuted() async throws {
        try await withLab(.tester) { lab in
            try lab.write("#!/no/such/interpreter\n", to: "broken")
            let error = await #expect(throws: NetworkError.self) { try await lab.launcher(daemon: "broken").launch() }
            #expect(error?.message.contains("executing labd: No such file") == true, "\(String(describing: error))")
            _ = try await lab.launcher().launch()
        }
    }

    @Test(arguments: Who.possible)
    func labdIsStartedAgainInTheSameNamespacesAndItsPortStaysOpen(_ who: Who) async throws {
        try await withLab(who) { lab in
            let report = try await lab.launcher().launch()
            let alive = await lab.labdAlive()
            let socket = try await lab.client.listen(name: "api")
            close(socket.descriptor)
            await lab.kill(report.daemon.pid, watched: alive)
            try await lab.client.stopDaemon()
            #expect(try await lab.client.status().daemon.lastExit?.signal == SIGKILL)

            let waiting = Socket.tcp()
            #expect(waiting.connect("127.0.0.1", socket.port))
            let pid = try await lab.client.startDaemon()
            close(await lab.labdAlive())
            #expect(pid != report.daemon.pid)
            let starts = try lab.starts()
            #expect(starts.count == 2 && starts.first == starts.last)
            let again = try await lab.client.listen(name: "api")
            #expect(again.port == socket.port)
            let accepted = Socket(again.descriptor).accept()
            #expect(waiting.write([7]) && accepted.read(1) == [7])
            for fd in [waiting.fd, accepted.fd, again.descriptor] { close(fd) }
            await #expect(throws: NetworkError.self) { try await lab.client.startDaemon() }
        }
    }

    @Test(arguments: Who.possible)
    func aNewHelperTakesOverWhatAKilledOneLeft(_ who: Who) async throws {
        try await withLab(who) { lab in
            let report = try await lab.launcher().launch()
            close(await lab.labdAlive())
            let socket = try await lab.client.listen(name: "api")
            await lab.killHelper(report.pid)
            let gone = await #expect(throws: NetworkError.self) { try await lab.client.status() }
            #expect(gone?.code == .helperUnavailable)

            let second = try await lab.launcher().launch()
            #expect(second.adopted && second.daemon.pid == report.daemon.pid)
            #expect(second.lost.isEmpty)
            // labd still has the socket and gives the helper its copy back.
            try await lab.client.keep(socket)
            #expect(try await lab.client.ports().map(\.port) == [socket.port])
            #expect(try lab.starts().count == 1)
            close(socket.descriptor)
        }
    }

    @Test func aNewHelperSaysWhatWasLost() async throws {
        try await withLab(.tester) { lab in
            let report = try await lab.launcher().launch()
            let alive = await lab.labdAlive()
            let kept = try await lab.client.listen(name: "kept")
            let lost = try await lab.client.listen(name: "lost")
            await lab.killHelper(report.pid)
            await lab.kill(report.daemon.pid, watched: alive)
            close(kept.descriptor)
            let second = try await lab.launcher().launch()
            #expect(!second.adopted && second.daemon.pid != report.daemon.pid)
            #expect(second.lost.contains { $0.contains("namespaces") })
            #expect(second.lost.contains { $0.contains("'lost'") }, "its port is still held by the test")
            #expect(try await lab.client.ports().map(\.name) == ["kept"])
            close(lost.descriptor)
        }
    }

    @Test func opensSocketsOnlyWhereItMay() async throws {
        try await withLab(.tester) { lab in
            _ = try await lab.launcher().launch()
            let first = try await lab.client.listen(name: "a")
            let used = await #expect(throws: NetworkError.self) { try await lab.client.listen(name: "b", port: first.port) }
            #expect(used?.code == .addressInUse)
            await #expect(throws: NetworkError.self) { try await lab.client.listen(name: "b", address: "0.0.0.0") }
            await #expect(throws: NetworkError.self) { try await lab.client.listen(name: "b c") }
            await #expect(throws: NetworkError.self) { try await lab.client.listen(name: "b", address: "localhost") }
            await #expect(throws: NetworkError.self) { try await lab.client.listen(name: "b\nany", port: 0) }
            let any = try await lab.client.listen(name: "any", address: "0.0.0.0", anyAddress: true)
            let packets = try await lab.client.listen(name: "udp/a")
            let packetsAgain = try await lab.client.listen(name: "udp/a", port: packets.port)
            #expect(packetsAgain.port == packets.port)
            let taken = await #expect(throws: NetworkError.self) { try await lab.client.listen(name: "udp/b", port: packets.port) }
            #expect(taken?.code == .addressInUse)
            let sender = Socket(Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0))
            #expect(sender.send([5], to: "127.0.0.1", packets.port))
            // The helper's sockets do not block, and loopback delivers at once.
            #expect(Socket(packetsAgain.descriptor).readPacket() == [5])
            for fd in [packets.descriptor, packetsAgain.descriptor, sender.fd] { close(fd) }
            for name in ["a", "udp/a"] { try await lab.client.close(name: name) }
            #expect(try await lab.client.ports().map(\.name) == ["any"])
            close(first.descriptor)
            close(any.descriptor)
            let host = try await lab.client.host()
            #expect(host.mtu >= 576)
        }
    }

    @Test(arguments: Who.possible)
    func uplinkComesAndGoes(_ who: Who) async throws {
        try await withLab(who) { lab in
            if geteuid() == 0 { chmod("/dev/net/tun", 0o666) }  // as udev makes it on a usual machine
            let report = try await lab.launcher().launch()
            #expect(try await lab.client.uplinkStatus().state == .down)
            if who != .tester || geteuid() != 0, try await sh("cat", ["/proc/net/route"]).split(separator: "\n").count < 2 {
                // A machine without any network: there is nothing that pasta could lead to, and that is what is told.
                await #expect { try await lab.client.uplinkUp() } throws: { ("\($0)").contains("pasta does not start (") }
                return
            }
            let up = try await lab.client.uplinkUp()
            #expect(up.state == .up && up.interface == "uplink0")
            #expect(up.kind == (who == .tester && geteuid() == 0 ? .veth : .pasta))
            await lab.killHelper(report.pid)
            let second = try await lab.launcher().launch()
            #expect(second.uplink.state == .up && second.lost.isEmpty)
            try await lab.client.uplinkDown()
            #expect(try await lab.client.uplinkStatus().kind == .none)
            if up.kind == .veth {
                #expect(try await !sh("nft", ["list", "tables"]).contains("kindling_"))
                #expect(try await !sh("cat", ["/proc/net/dev"]).contains(" kd"))
            }
        }
    }

    /// The suite `InsideLabd`, run by this same program as labd.
    @Test(arguments: Who.possible)
    func podNetworksWorkInTheNamespaces(_ who: Who) async throws {
        try await withLab(who) { lab in
            let program = lab.binaries + "/inside-tests"
            try await sh("cp", ["-fL", Lab.ownPath, program])
            try lab.write(
                "#!/bin/sh\nKINDLING_TEST_INSIDE=\(lab.directory) \(program) --testing-library swift-testing --filter InsideLabd\n"
                    + "code=$?\necho $code >\(lab.directory)/code\nexec 9>>\(lab.directory)/alive\n", to: "tests")
            _ = try await lab.launcher(daemon: "tests").launch()
            close(await lab.labdAlive())
            let code = try Data(contentsOf: URL(filePath: lab.directory + "/code"))
            #expect(String(decoding: code, as: UTF8.self) == "0\n", "\(lab.log("labd"))")
            #expect(lab.log("labd").contains("Suite InsideLabd passed"), "\(lab.log("labd"))")
            if getenv("KINDLING_TEST_VERBOSE") != nil { print(lab.log("labd")) }
        }
    }
}
