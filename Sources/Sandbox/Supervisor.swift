import CSandbox
import Glibc

/// A `lab-shim run` process of ours: its pidfd and the socket on which it takes a spec and tells how it went.
final class Supervisor: Sendable {
    let pid: Int32
    let pidfd: OwnedDescriptor
    let control: OwnedDescriptor
    /// `kind=directory` of its control groups.
    let groups: [String]

    private init(pid: Int32, pidfd: OwnedDescriptor, control: OwnedDescriptor, groups: [String]) {
        self.pid = pid
        self.pidfd = pidfd
        self.control = control
        self.groups = groups
    }

    /// Starts one that prepares itself and waits for ``send(spec:)``. Blocks for about half a millisecond.
    static func spawn(
        executable: OwnedDescriptor, userNamespace: OwnedDescriptor?, groups: [String]
    ) throws(SandboxError) -> Supervisor {
        var arguments = ["lab-shim", "run"]
        if userNamespace != nil { arguments.append("--user-namespace") }
        return try start(executable, arguments, [userNamespace].compactMap { $0 }, groups: groups)
    }

    /// Starts one that runs another program in a container: its spec as recorded, the request, and the program's standard
    /// streams, of which there are none when it gets a terminal.
    static func spawnExec(
        executable: OwnedDescriptor, container: OwnedDescriptor, spec: OwnedDescriptor, request: OwnedDescriptor, streams: [OwnedDescriptor],
        groups: [String]
    ) throws(SandboxError) -> Supervisor {
        let arguments = ["lab-shim", "exec"] + (streams.isEmpty ? ["--terminal"] : [])
        return try start(executable, arguments, [container, spec, request] + streams, groups: groups)
    }

    private static func start(
        _ executable: OwnedDescriptor, _ arguments: [String], _ more: [OwnedDescriptor], groups: [String]
    ) throws(SandboxError) -> Supervisor {
        var pair: [Int32] = [-1, -1]
        let made = ksb_socket_pair(&pair)
        guard made == 0 else { throw .system(operation: "make a supervisor's control socket", errno: -made) }
        let ours = OwnedDescriptor(pair[0])
        let theirs = OwnedDescriptor(pair[1])
        let arguments = arguments + groups.flatMap { ["--cgroup", $0] }
        var pidfd: Int32 = -1
        let pid = withExtendedLifetime((theirs, more)) {
            let descriptors = [theirs.number] + more.map(\.number)
            return withCStrings(arguments) { argv in
                ksb_spawn(executable.number, argv, descriptors, Int32(descriptors.count), &pidfd)
            }
        }
        guard pid > 0 else { throw .system(operation: "start lab-shim", errno: -pid) }
        return Supervisor(pid: pid, pidfd: OwnedDescriptor(pidfd), control: ours, groups: groups)
    }

    /// Hands over the spec. False when the process is gone.
    func send(spec: OwnedDescriptor) -> Bool {
        ksb_send_descriptor(control.number, spec.number) == 0
    }

    /// The next event and the descriptor that came with it, without waiting.
    func receiveWithDescriptor() -> (Report, OwnedDescriptor?) {
        var event = ksb_event()
        var descriptors = [Int32](repeating: -1, count: Int(KD_FDS_MAX))
        var count: Int32 = 0
        _ = fcntl(control.number, F_SETFL, O_NONBLOCK)
        let length = withUnsafeMutableBytes(of: &event) { kd_receive_packet(control.number, $0.baseAddress, $0.count, &descriptors, &count) }
        let received = descriptors.prefix(Int(count)).map { OwnedDescriptor($0) }
        if length == MemoryLayout<ksb_event>.size { return (.event(event), received.first) }
        return (length == -Int(EAGAIN) || length == -Int(ECONNRESET) ? .nothing : .hungUp, nil)
    }

    /// Asks an exec's supervisor to send a signal to the program.
    func send(signal: UInt8) {
        var byte = signal
        _ = Glibc.send(control.number, &byte, 1, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    }

    enum Report {
        case event(ksb_event)
        case hungUp
        case nothing
    }

    /// The next event, without waiting.
    func receive() -> Report {
        var event = ksb_event()
        let count = withUnsafeMutableBytes(of: &event) { buffer in
            recv(control.number, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
        }
        if count == MemoryLayout<ksb_event>.size { return .event(event) }
        // A reset comes once, before what the other side still had to say.
        if count < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNRESET) { return .nothing }
        return .hungUp
    }

    /// Tells an exec's supervisor that nobody wants to know any more.
    func hangUp() { shutdown(control.number, Int32(SHUT_RDWR)) }

    /// Collects the process when it ends, so that no zombie stays. Keeps the descriptors until then.
    func reapWhenDone(_ watcher: DescriptorWatcher) {
        _ = try? watcher.whenReadable(pidfd.number) { [self] in _ = ksb_reap(pidfd.number) }
    }
}

extension ksb_event {
    var failureReport: SetupFailure {
        SetupFailure(code: failure, step: text(of: step), errno: error, message: text(of: message))
    }

    private func text<Storage>(of storage: Storage) -> String {
        withUnsafeBytes(of: storage) { String(decoding: $0.prefix(while: { $0 != 0 }), as: UTF8.self) }
    }
}

/// Calls `body` with a NULL-terminated array of C strings.
private func withCStrings<Result>(_ strings: [String], _ body: ([UnsafePointer<CChar>?]) -> Result) -> Result {
    let copies = strings.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    return body(copies.map { UnsafePointer($0) } + [nil])
}
