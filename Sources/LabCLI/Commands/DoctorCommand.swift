import ArgumentParser
import Glibc
import Images
import KubeModel
import LabNetwork
import Node

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check that this machine has what a lab needs, and say what adds it.",
        discussion: """
            Each feature of the kernel is tried, in a process that leaves nothing behind. The exit status is 1 when
            something is missing without which no lab runs.

            Example:
              lab doctor
              lab doctor -o json
            """)

    @Option(name: [.short, .long], help: ArgumentHelp("json", valueName: "format"))
    var output: String?
    @Option(help: ArgumentHelp("The directory of the files that ship with Kindling.", valueName: "dir"), completion: .directory)
    var share: String?

    @Option(help: ArgumentHelp("A directory of CDI files, beside /etc/cdi and /var/run/cdi.", valueName: "dir"), completion: .directory)
    var cdiDir: [String] = []

    func run() async throws {
        if let output, output != "json" { throw ValidationError("-o: expected json, found '\(output)'") }
        let context = LabContext.current
        var findings = Self.examine(context, share: share, cdiDirectories: cdiDir)
        // Only of a lab that runs.
        if let helper = try? await HelperClient(runtimeDirectory: context.paths.runtime).status() { findings.append(Self.egress(helper.uplink)) }
        if output != nil {
            Output.line(PrettyJSON.text(.array(findings.map(\.json))))
        } else {
            for line in findings.flatMap({ $0.lines(.current) }) { Output.line(line) }
        }
        let missing = findings.filter { $0.verdict == .missing }
        if !missing.isEmpty { throw CommandError("not ready: \(missing.map(\.name).joined(separator: "; "))") }
    }

    static func examine(_ context: LabContext, share given: String?, cdiDirectories: [String] = []) -> [Finding] {
        let share = try? ShareDirectory.locate(explicit: given).path
        func file(_ name: String) -> String? {
            guard let share, let bytes = try? SmallFile.readIfPresent("\(share)/\(name)") else { return nil }
            return String(decoding: bytes, as: UTF8.self)
        }
        let own = SmallFile.realPath("/proc/self/exe") ?? ""
        let directory = String(own[..<(own.lastIndex(of: "/") ?? own.startIndex)])
        let uid = Int(geteuid())
        let user = getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) } ?? "\(uid)"
        var findings = programs(share: share)
        findings +=
            KernelChecks(environment: context.environment, isRoot: context.isRoot, profile: file("apparmor/labd"), directory: directory)
            .findings
        findings +=
            HostChecks(environment: context.environment, isRoot: context.isRoot, state: context.paths.state, user: user, uid: uid).findings
        findings.append(DeviceCheck(report: DeviceReport(directories: cdiDirectories)).finding)
        if let share, let list = file("setup/packages.txt") {
            let isSource = SmallFile.exists("\(share)/../Package.swift")
            findings.append(PackageChecks(environment: context.environment, list: list, forBuilding: isSource).finding)
        }
        return findings
    }

    /// Whether the pods of the lab that runs reach the world outside.
    static func egress(_ uplink: UplinkStatus) -> Finding {
        let name = "this lab's pods and the world outside"
        return uplink.state == .up
            ? .present(name, "egress: through \(uplink.kind.rawValue), under the host's address")
            : .present(name, "egress: none; a lab that is started with 'lab up --uplink' has it")
    }

    private static func programs(share: String?) -> [Finding] {
        var findings: [Finding] = []
        do {
            findings.append(.present("programs", try Programs.locate().shim))
        } catch {
            findings.append(.missing("programs", error.message))
        }
        if share == nil {
            findings.append(
                .missing("files that ship with Kindling", "not found beside the program", "name their directory with --share DIR"))
        }
        return findings
    }
}
