import Glibc

/// NVIDIA's driver as it lies on this machine, for where nobody has written a CDI file: device files, libraries and programs
/// (upstream: nvidia-container-toolkit, internal/discover and pkg/nvcdi; libnvidia-container, src/nvc_info.c).
struct NVIDIADriver: Sendable, Equatable {
    static let kind = "nvidia.com/gpu"

    struct GPU: Sendable, Equatable {
        /// The number of its device file.
        var minor: Int
        /// `GPU-` and a UUID; empty where the driver does not say.
        var uuid = ""
        var model = ""
    }

    /// Such as `535.183.01`; empty where the driver does not say.
    var version: String
    var gpus: [GPU]
    var edits: ContainerEdits

    /// - Parameter root: put before each path of the host, for tests.
    /// - Returns: `nil` where there is no device file of a GPU.
    static func find(root: String = "") -> NVIDIADriver? {
        let minors = Files.list("\(root)/dev").compactMap { $0.hasPrefix("nvidia") ? Int($0.dropFirst(6)) : nil }.sorted()
        guard !minors.isEmpty else { return nil }
        let known = gpus(root: root)
        var edits = ContainerEdits()
        for name in ["nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset"] where Files.status("\(root)/dev/\(name)") != nil {
            edits.deviceNodes.append(.init(path: "/dev/\(name)", hostPath: "\(root)/dev/\(name)"))
        }
        for path in libraries(root: root) + programs(root: root) {
            edits.mounts.append(.init(hostPath: "\(root)\(path)", containerPath: path))
        }
        // By it programs ask the daemon that keeps the driver awake.
        let socket = "/run/nvidia-persistenced/socket"
        if Files.status("\(root)\(socket)") != nil { edits.mounts.append(.init(hostPath: "\(root)\(socket)", containerPath: socket)) }
        // The unversioned name by which many programs open it.
        edits.links = [.init(name: "libcuda.so", target: "libcuda.so.1")]
        edits.linksLibraries = true
        return NVIDIADriver(
            version: version(Files.text("\(root)/proc/driver/nvidia/version") ?? ""),
            gpus: minors.map { minor in known.first { $0.minor == minor } ?? GPU(minor: minor) }, edits: edits)
    }

    /// As a CDI file of the driver would have it; devices are called by their numbers.
    func specification(root: String = "") -> CDISpecification {
        let devices = gpus.map { gpu in
            let node = ContainerEdits.DeviceNode(path: "/dev/nvidia\(gpu.minor)", hostPath: "\(root)/dev/nvidia\(gpu.minor)")
            return CDISpecification.Device(name: "\(gpu.minor)", edits: ContainerEdits(deviceNodes: [node]))
        }
        return CDISpecification(kind: Self.kind, devices: devices, edits: edits)
    }

    // MARK: What the driver says of itself

    /// What `/proc/driver/nvidia/gpus` tells of each GPU.
    static func gpus(root: String = "") -> [GPU] {
        let directory = "\(root)/proc/driver/nvidia/gpus"
        return Files.list(directory).compactMap { gpu(Files.text("\(directory)/\($0)/information") ?? "") }.sorted { $0.minor < $1.minor }
    }

    static func gpu(_ information: String) -> GPU? {
        var values: [String: String] = [:]
        for line in information.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            values[String(line[..<colon])] = trimmed(line[line.index(after: colon)...])
        }
        guard let minor = values["Device Minor"].flatMap({ Int($0) }) else { return nil }
        // Before the first use of a GPU its driver has question marks for it.
        let uuid = values["GPU UUID"] ?? ""
        return GPU(minor: minor, uuid: uuid.contains("?") ? "" : uuid, model: values["Model"] ?? "")
    }

    /// The version in the line `NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 …`.
    static func version(_ text: String) -> String {
        let words = text.split(separator: "\n").first?.split(separator: " ") ?? []
        return words.first { word in word.first?.isNumber == true && word.contains(".") && word.allSatisfy { $0.isNumber || $0 == "." } }.map(String.init) ?? ""
    }

    private static func trimmed(_ text: Substring) -> String {
        let isBlank = { (character: Character) in character.isWhitespace }
        return String(text.drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }

    // MARK: Its files

    /// Of compute, utility and video; beginnings of names before `.so`.
    private static let wanted: Set<String> = [
        "libcuda", "libcudadebugger", "libnvidia-ml", "libnvidia-cfg", "libnvidia-nvvm", "libnvidia-ptxjitcompiler", "libnvidia-gpucomp",
        "libnvidia-fatbinaryloader", "libnvidia-allocator", "libnvidia-compiler", "libnvidia-opencl", "libnvidia-pkcs11", "libnvidia-pkcs11-openssl3",
        "libnvcuvid", "libnvidia-encode", "libnvidia-opticalflow", "libnvidia-sandboxutils",
    ]
    private static let directories = [
        "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/lib64", "/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu",
        "/usr/local/nvidia/lib64", "/usr/lib/wsl/lib",
    ]

    /// Real paths, without the root: those that the linker's cache names, else those in the usual directories.
    private static func libraries(root: String) -> [String] {
        let cache = ((try? Files.read("\(root)/etc/ld.so.cache", limit: 16 << 20)) ?? nil) ?? []
        var found = LinkerCache.libraries(cache).filter { wanted.contains(stem($0.name)) }.map(\.path)
        if !found.contains(where: { stem($0.lastComponent) == "libcuda" }) {
            for directory in directories {
                found += Files.list("\(root)\(directory)").filter { $0.contains(".so.") && wanted.contains(stem($0)) }.sorted().map { "\(directory)/\($0)" }
            }
        }
        var paths: [String] = []
        for path in found where !["/i386-linux-gnu/", "/lib32/", "/i686/"].contains(where: path.contains) {
            guard let real = realPath("\(root)\(path)"), real.hasPrefix(root) else { continue }
            let own = String(real.dropFirst(root.count))
            // One of each name: a second driver's directory further down the list is not looked at.
            if !paths.contains(where: { stem($0.lastComponent) == stem(own.lastComponent) }) { paths.append(own) }
        }
        return paths
    }

    private static func programs(root: String) -> [String] {
        ["nvidia-smi", "nvidia-debugdump", "nvidia-cuda-mps-control", "nvidia-cuda-mps-server"].compactMap { name in
            ["/usr/bin", "/bin", "/usr/local/bin", "/usr/lib/wsl/lib"].map { "\($0)/\(name)" }.first { Files.status("\(root)\($0)") != nil }
        }
    }

    private static func stem(_ name: String) -> String {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count > 1 && parts[1] == "so" ? String(parts[0]) : ""
    }
}

/// The path without links; `nil` where it leads to nothing.
func realPath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
}
