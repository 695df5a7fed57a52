import Glibc

/// A short program run to its end, with what it printed.
struct ProgramRun: Sendable, Equatable {
    var status: Int32
    /// Standard output and standard error together.
    var output: String

    /// Blocks until it has ended. For programs that end by themselves and print little.
    /// - Returns: `nil` where there is no such program.
    static func run(_ command: [String], environment: [String: String]) -> ProgramRun? {
        guard let name = command.first, let path = Programs.find(name, environment) else { return nil }
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { return nil }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO)
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        // The words of their errors are looked at: in one language.
        let changed = environment.filter { $0.key != "LC_ALL" }.map { "\($0.key)=\($0.value)" } + ["LC_ALL=C"]
        var variables: [UnsafeMutablePointer<CChar>?] = changed.map { strdup($0) } + [nil]
        defer { for variable in variables { free(variable) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, path, &actions, nil, &arguments, &variables)
        close(ends[1])
        guard code == 0 else { return nil }
        let bytes = (try? SmallFile.read(ends[0], name: name)) ?? []
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let exit = status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
        return ProgramRun(status: exit, output: String(decoding: bytes, as: UTF8.self))
    }

    /// The last line of the output: mostly the reason.
    var lastLine: String { output.split(whereSeparator: \.isNewline).last.map(String.init) ?? "status \(status)" }
}
