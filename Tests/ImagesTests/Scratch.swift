import Foundation

@testable import Images

/// A state directory, share and cache of a test's own, removed when the test ends.
final class Scratch {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("kindling-images-\(UUID().uuidString)").path
        for name in ["state/environments", "share/environments/requirements", "share/setup", "cache"] {
            try FileManager.default.createDirectory(atPath: "\(path)/\(name)", withIntermediateDirectories: true)
        }
        try write("share/setup/environments.py", "import sys\nsys.exit(0)\n")
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ text: String) throws {
        let file = "\(path)/\(name)"
        try FileManager.default.createDirectory(
            atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try text.write(toFile: file, atomically: true, encoding: .utf8)
    }

    func makeExecutable(_ name: String) throws {
        try write(name, "#!/bin/sh\n")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(path)/\(name)")
    }

    func link(_ name: String, to target: String) throws {
        try FileManager.default.createDirectory(
            atPath: ("\(path)/\(name)" as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: "\(path)/\(name)", withDestinationPath: target)
    }

    var store: ImageStore {
        ImageStore(
            state: "\(path)/state", share: ShareDirectory(path: "\(path)/share"), cache: CacheDirectory(path: "\(path)/cache"))
    }

    /// A store over the files that ship with the program.
    var shipped: ImageStore {
        let etc = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("etc").path
        return ImageStore(state: "\(path)/state", share: ShareDirectory(path: etc), cache: CacheDirectory(path: "\(path)/cache"))
    }

    /// What the set-up script leaves for a requirements file, without its network.
    func pretendBuilt(_ store: ImageStore, _ name: String, executable: String = "/usr/bin/python3") throws {
        let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: "\(store.share.path)/environments/requirements/\(name).txt")))
        let directory = store.cache.pythonEnvironments(name: name, requirements: bytes)[0]
        let record = """
            {"target": "/var/lib/kindling/python/\(name)", "version": "3.11.2", "executable": "\(executable)", "prefix": "/usr"}
            """
        let relative = String(directory.dropFirst(path.count + 1))
        try write("\(relative)/root/var/lib/kindling/python/\(name)/pyvenv.cfg", "home = /usr/bin\n")
        try write("\(relative)/environment.json", record)
    }
}

extension ResolvedEnvironment {
    func variable(_ name: String) -> String? { environmentVariables.first { $0.name == name }?.value }
}
