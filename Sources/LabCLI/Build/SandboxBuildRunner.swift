import Glibc
import Images
import Sandbox

/// Runs the RUN steps of a build in the lab's own sandboxes. No labd is needed; where one runs, its network is used.
struct SandboxBuildRunner: BuildRunner {
    private let runtime: SandboxRuntime
    private let network: BuildNetwork
    private let settings: HostSettings

    /// - Parameters:
    ///   - state: the lab's state directory.
    ///   - daemon: labd, in whose user namespace this process is; `nil` where none runs.
    init(state: String, shim: String, daemon: Int32?) throws {
        do {
            // The container's processes end with this one, by the supervisor: no group has to be found again.
            runtime = try SandboxRuntime(
                configuration: SandboxConfiguration(shimPath: shim, instance: "build", warmSupervisors: 0, useControlGroups: false))
        } catch { throw CommandError("\(error)") }
        network = BuildNetwork(state: state, daemon: daemon)
        settings = HostSettings(LabContext.current.environment)
    }

    /// One id is all that files can belong to.
    var hasSingleOwner: Bool { runtime.hasSingleIdentity }

    func run(_ command: BuildCommand) async throws -> BuildCommandResult {
        let directory = command.directory
        let place = command.hasNetwork ? try await network.take() : nil
        let files = try BuildFiles(directory: directory, network: place)
        var spec = SandboxSpec(
            identifier: command.identifier, stateDirectory: directory, rootLower: command.layers, arguments: command.arguments,
            log: LogPolicy(path: "\(directory)/output", maxBytes: 0, mergeStreams: true))
        spec.hostname = "build"
        spec.workingDirectory = command.workingDirectory
        spec.user = command.user
        spec.group = command.group
        spec.endsWithStarter = true
        spec.namespaces.network = place?.namespace
        spec.environment = command.environment
        spec.mounts = command.mounts.map { mount in
            switch mount.kind {
            case .bind: Mount(kind: .bind(source: mount.source, subPath: nil), target: mount.target, readOnly: true)
            case .overlay: Mount(kind: .overlay(source: mount.source, above: mount.above), target: mount.target)
            }
        }
        var mounted = ["/proc", "/dev", "/sys"]
        for (source, target) in files.mounts {
            spec.mounts.append(Mount(kind: .bind(source: source, subPath: nil), target: target, readOnly: true))
            mounted.append(target)
        }
        let given = Set(command.environment.map { $0.prefix { $0 != "=" } })
        for (name, value) in settings.variables where !given.contains(name[...]) { spec.environment.append("\(name)=\(value)") }
        for (source, target) in try settings.mounts(in: directory) {
            spec.mounts.append(Mount(kind: .bind(source: source, subPath: nil), target: target, readOnly: true))
        }
        for mount in command.extraMounts {
            switch mount.kind {
            case .tmpfs: spec.mounts.append(Mount(kind: .tmpfs(sizeBytes: nil, mode: 0o777), target: mount.target))
            case .bind(let source, let isReadOnly):
                spec.mounts.append(Mount(kind: .bind(source: source, subPath: nil), target: mount.target, readOnly: isReadOnly))
            }
        }
        let exitCode = try await run(spec)
        var changes = [(directory: "\(directory)/upper", target: "/")]
        for (index, mount) in command.mounts.enumerated() where mount.kind == .overlay {
            changes.append((directory: "\(directory)/\(Mount.upperDirectory(ofMount: index))", target: mount.target))
        }
        return BuildCommandResult(exitCode: exitCode, changes: changes, mounted: mounted)
    }

    private func run(_ spec: SandboxSpec) async throws -> Int32 {
        let output = try RunOutput(spec.log.path)
        let printing = Task { await output.print() }
        do {
            let record = try await runtime.start(spec).wait()
            output.end()
            await printing.value
            if let failure = record.failure { throw failure }
            return record.exitCode
        } catch {
            output.end()
            await printing.value
            throw error
        }
    }
}

/// The files that every container finds in /etc, in a build's own form.
private struct BuildFiles {
    let mounts: [(source: String, target: String)]

    init(directory: String, network: BuildNetwork.Place?) throws {
        let texts = [
            ("hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"), ("hostname", "build\n"),
            ("resolv.conf", network?.resolver ?? ""),
        ]
        var mounts: [(source: String, target: String)] = []
        for (name, text) in texts {
            let path = "\(directory)/\(name)"
            try SmallFile.write(text, to: path, mode: 0o644)
            mounts.append((path, "/etc/\(name)"))
        }
        self.mounts = mounts
    }
}
