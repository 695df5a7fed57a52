import Glibc

/// Runs `setup/environments.py`, which builds Python environments. It is the one part of the program that may use a network.
struct SetupScript {
    let share: ShareDirectory
    let cache: CacheDirectory

    func arguments(name: String, requirements: String) -> [String] {
        let shipped = requirements == "\(share.environments)/requirements/\(name).txt"
        return [share.setupScript, "--cache", cache.path] + (shipped ? [name] : ["--name", name, "--requirements", requirements])
    }

    /// To be shown to a user: a line for a shell.
    func commandLine(name: String, requirements: String) -> String {
        arguments(name: name, requirements: requirements).map(shellQuoted).joined(separator: " ")
    }

    /// Waits for the script, which writes its progress to this process's own output.
    ///
    /// - Throws: ``ImageError/setupFailed(command:status:)``, ``ImageError/system(path:operation:code:)`` when it does not start.
    func run(name: String, requirements: String) throws(ImageError) {
        let python = FileSystem.isExecutable("/usr/bin/python3") ? "/usr/bin/python3" : "python3"
        let words = [python] + arguments(name: name, requirements: requirements)
        var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        var child = pid_t()
        let code = posix_spawnp(&child, python, nil, nil, &pointers, environ)
        guard code == 0 else { throw .system(path: python, operation: "start", code: code) }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0 {
            guard errno == EINTR else { throw .system(path: python, operation: "wait for", code: errno) }
        }
        let signal = status & 0x7f
        let result = signal == 0 ? (status >> 8) & 0xff : 128 + signal
        if result != 0 { throw .setupFailed(command: words.map(shellQuoted).joined(separator: " "), status: result) }
    }
}

/// A word as a POSIX shell reads it back.
func shellQuoted(_ word: String) -> String {
    let plain = Set("%+,-./0123456789:=@_".utf8)
    let isPlain = word.utf8.allSatisfy { plain.contains($0) || ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7a }
    if isPlain && !word.isEmpty { return word }
    return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
}
