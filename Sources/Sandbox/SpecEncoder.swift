import CSandbox
import Glibc

/// Writes a ``SandboxSpec`` as the flat records that lab-shim reads (see CSandbox/include/sandbox.h).
struct SpecEncoder {
    private(set) var bytes: [UInt8] = []
    private var records: UInt32 = 0

    /// What the runtime knows and the spec does not.
    struct Environment {
        var identity: IdentityMap.Choice
        var seccomp: [UInt8]
        var bootID: String
        var limitProcessesByUser: Bool
    }

    static func encode(_ spec: SandboxSpec, in environment: Environment) throws(SandboxError) -> [UInt8] {
        var encoder = SpecEncoder()
        encoder.bytes.reserveCapacity(4096 + environment.seccomp.count)
        encoder.append(fixed: ksb_header())
        try encoder.appendStrings(spec)
        try encoder.appendMounts(spec.mounts)
        try encoder.appendNumbers(spec, environment)
        encoder.finish()
        return encoder.bytes
    }

    /// What `lab-shim exec` is to run: the program, and variables beside the container's own.
    static func encode(_ request: ExecRequest) throws(SandboxError) -> [UInt8] {
        guard !request.arguments.isEmpty else { throw .invalidSpec("a command is needed to run in a container; the argument list is empty") }
        var encoder = SpecEncoder()
        encoder.append(fixed: ksb_header())
        for argument in request.arguments { try encoder.append(KSB_ARGUMENT, argument, "argument") }
        for variable in request.environment { try encoder.append(KSB_ENVIRONMENT, variable, "environment variable") }
        encoder.finish()
        return encoder.bytes
    }

    private mutating func appendStrings(_ spec: SandboxSpec) throws(SandboxError) {
        guard !spec.identifier.isEmpty, spec.identifier.utf8.count <= 200, spec.identifier.utf8.allSatisfy(Self.isNameByte)
        else {
            throw .invalidSpec("a container identifier has letters, digits, '.', '_' and '-' only; found \"\(spec.identifier)\"")
        }
        guard spec.hostname.utf8.count <= 63 else {
            throw .invalidSpec("a host name has at most 63 bytes; \"\(spec.hostname)\" has \(spec.hostname.utf8.count)")
        }
        guard !spec.rootLower.isEmpty else { throw .invalidSpec("a container needs at least one root layer; the list is empty") }
        guard !spec.arguments.isEmpty else { throw .invalidSpec("a container needs a command; the argument list is empty") }
        try append(KSB_IDENTIFIER, spec.identifier, "identifier")
        try append(KSB_STATE_DIRECTORY, path: spec.stateDirectory, "stateDirectory")
        try append(KSB_HOSTNAME, spec.hostname, "hostname")
        for layer in spec.rootLower { try append(KSB_LOWER, path: layer, "root layer") }
        for argument in spec.arguments { try append(KSB_ARGUMENT, argument, "argument") }
        for variable in spec.environment { try append(KSB_ENVIRONMENT, variable, "environment variable") }
        let directory = spec.workingDirectory.isEmpty ? "/" : spec.workingDirectory
        try append(KSB_WORKING_DIRECTORY, path: directory, "workingDirectory")
        for path in spec.maskedPaths { try append(KSB_MASKED, path: path, "masked path") }
        for path in spec.readOnlyPaths { try append(KSB_READ_ONLY, path: path, "read-only path") }
        try append(KSB_LOG_PATH, path: spec.log.path, "log path")
        if let path = spec.stdinPath { try append(KSB_STDIN_PATH, path: path, "stdinPath") }
        if let path = spec.terminationMessagePath { try append(KSB_TERMINATION_PATH, path: path, "terminationMessagePath") }
        if let path = spec.namespaces.network { try append(KSB_NET_PATH, path: path, "network namespace") }
        if let path = spec.namespaces.ipc { try append(KSB_IPC_PATH, path: path, "ipc namespace") }
        if let path = spec.namespaces.uts { try append(KSB_UTS_PATH, path: path, "uts namespace") }
        if let shared = spec.namespaces.processes {
            try append(KSB_PROCESS_PATH, path: shared.processes, "namespace of processes")
            try append(KSB_USER_PATH, path: shared.user, "user namespace")
        }
    }

    private mutating func appendMounts(_ mounts: [Mount]) throws(SandboxError) {
        for mount in mounts {
            var record = ksb_mount()
            record.read_only = mount.readOnly ? 1 : 0
            var source = ""
            var subPath = ""
            var above: [String] = []
            switch mount.kind {
            case .bind(let path, let below):
                record.kind = KSB_MOUNT_BIND.rawValue
                (source, subPath) = (path, below ?? "")
            case .tmpfs(let size, let mode):
                record.kind = KSB_MOUNT_TMPFS.rawValue
                (record.size_bytes, record.mode) = (size ?? 0, mode)
            case .overlay(let path, let layers):
                record.kind = KSB_MOUNT_OVERLAY.rawValue
                (source, above) = (path, layers)
            case .device(let path):
                record.kind = KSB_MOUNT_DEVICE.rawValue
                source = path
            }
            try Self.check(path: mount.target, "mount target")
            if record.kind != KSB_MOUNT_TMPFS.rawValue { try Self.check(path: source, "mount source") }
            try Self.check(subPath, "subPath")
            var payload = withUnsafeBytes(of: record) { Array($0) }
            for text in [mount.target, source, subPath] {
                payload.append(contentsOf: text.utf8)
                payload.append(0)
            }
            append(KSB_MOUNT, payload)
            for layer in above { try append(KSB_MOUNT_LOWER, path: layer, "layer of a mount") }
        }
    }

    private mutating func appendNumbers(_ spec: SandboxSpec, _ environment: Environment) throws(SandboxError) {
        var numbers = ksb_numbers()
        numbers.user = spec.user
        numbers.group = spec.group
        numbers.umask = spec.umask & 0o777
        numbers.capabilities = try Self.capabilityBits(spec.capabilities)
        numbers.memory_bytes = spec.limits.memoryBytes ?? 0
        numbers.cpu_millicores = spec.limits.cpuQuotaMillicores ?? 0
        numbers.cpu_shares = spec.limits.cpuShares ?? 0
        numbers.pids = max(spec.limits.pids, 1)
        numbers.log_max_bytes = spec.log.maxBytes
        numbers.log_max_files = UInt64(max(spec.log.maxFiles, 1))
        numbers.shm_bytes = spec.sharedMemoryBytes
        numbers.open_files = spec.openFiles
        var flags: UInt32 = 0
        if spec.rootReadOnly { flags |= KSB_ROOT_READ_ONLY.rawValue }
        if spec.temporaryFileSystem { flags |= KSB_PRIVATE_TMP.rawValue }
        if spec.log.mergeStreams { flags |= KSB_MERGE_STREAMS.rawValue }
        if environment.identity.denySetgroups { flags |= KSB_NO_SETGROUPS.rawValue }
        if environment.limitProcessesByUser { flags |= KSB_LIMIT_NPROC.rawValue }
        if spec.usesTerminal { flags |= KSB_TERMINAL.rawValue }
        if spec.input != .none { flags |= KSB_OPEN_STDIN.rawValue }
        if spec.input == .once { flags |= KSB_STDIN_ONCE.rawValue }
        if spec.endsWithStarter { flags |= KSB_END_WITH_STARTER.rawValue }
        numbers.flags = flags
        append(KSB_NUMBERS, withUnsafeBytes(of: numbers) { Array($0) })
        for group in spec.supplementaryGroups { append(KSB_GROUP, withUnsafeBytes(of: group) { Array($0) }) }
        if let own = environment.identity.ownMaps, spec.namespaces.processes == nil {
            try append(KSB_UID_MAP, own.users, "uid map")
            try append(KSB_GID_MAP, own.groups, "gid map")
        }
        try append(KSB_BOOT_ID, environment.bootID, "boot id")
        if spec.seccomp == .runtimeDefault { append(KSB_SECCOMP, environment.seccomp) }
    }

    private static func capabilityBits(_ set: CapabilitySet) throws(SandboxError) -> UInt64 {
        var bits: UInt64 = 0
        for name in set.names {
            let number = ksb_capability(name)
            guard number >= 0 else {
                throw .invalidSpec("\"\(name)\" is no capability; expected a name such as NET_BIND_SERVICE, without CAP_")
            }
            bits |= 1 << UInt64(number)
        }
        return bits
    }

    private mutating func append(_ tag: ksb_tag, path: String, _ what: String) throws(SandboxError) {
        try Self.check(path: path, what)
        try append(tag, path, what)
    }

    private mutating func append(_ tag: ksb_tag, _ text: String, _ what: String) throws(SandboxError) {
        try Self.check(text, what)
        var payload = Array(text.utf8)
        payload.append(0)
        append(tag, payload)
    }

    private mutating func append(_ tag: ksb_tag, _ payload: [UInt8]) {
        append(fixed: ksb_record(tag: tag.rawValue, length: UInt32(payload.count)))
        bytes.append(contentsOf: payload)
        let padding = (8 - bytes.count % 8) % 8
        bytes.append(contentsOf: repeatElement(0, count: padding))
        records += 1
    }

    private mutating func append<Value>(fixed value: Value) {
        withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
    }

    private mutating func finish() {
        let header = ksb_header(magic: KSB_SPEC_MAGIC, length: UInt32(bytes.count), records: records, reserved: 0)
        withUnsafeBytes(of: header) { bytes.replaceSubrange(0..<$0.count, with: $0) }
    }

    private static func check(path: String, _ what: String) throws(SandboxError) {
        guard path.utf8.first == UInt8(ascii: "/") else { throw .invalidSpec("\(what) must be an absolute path; found \"\(path)\"") }
        guard path.utf8.count < 4096 else { throw .invalidSpec("\(what) has \(path.utf8.count) bytes; a path has at most 4095") }
        try check(path, what)
    }

    private static func check(_ text: String, _ what: String) throws(SandboxError) {
        if text.utf8.contains(0) { throw .invalidSpec("\(what) holds a NUL byte, which no system call can carry") }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
