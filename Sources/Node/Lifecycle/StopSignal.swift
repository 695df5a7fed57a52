import Glibc

/// The signal that an image asks to be ended with: its STOPSIGNAL, as container runtimes read it.
enum StopSignal {
    private static let names: [String: Int32] = [
        "HUP": SIGHUP, "INT": SIGINT, "QUIT": SIGQUIT, "ILL": SIGILL, "TRAP": SIGTRAP, "ABRT": SIGABRT, "BUS": SIGBUS, "FPE": SIGFPE,
        "KILL": SIGKILL, "USR1": SIGUSR1, "SEGV": SIGSEGV, "USR2": SIGUSR2, "PIPE": SIGPIPE, "ALRM": SIGALRM, "TERM": SIGTERM,
        "CHLD": SIGCHLD, "CONT": SIGCONT, "STOP": SIGSTOP, "TSTP": SIGTSTP, "TTIN": SIGTTIN, "TTOU": SIGTTOU, "URG": SIGURG,
        "XCPU": SIGXCPU, "XFSZ": SIGXFSZ, "VTALRM": SIGVTALRM, "PROF": SIGPROF, "WINCH": SIGWINCH, "IO": SIGIO, "PWR": SIGPWR, "SYS": SIGSYS,
    ]
    /// As glibc gives them to programs.
    private static let realTime = (first: Int32(34), last: Int32(64))

    /// - Parameter text: `SIGINT`, `INT`, `2`, `SIGRTMIN+3`; anything else is SIGTERM, as an empty one is.
    static func number(_ text: String) -> Int32 {
        if let number = Int32(text) { return (1...realTime.last).contains(number) ? number : SIGTERM }
        let name = (text.uppercased().hasPrefix("SIG") ? text.dropFirst(3) : Substring(text)).uppercased()
        if let number = names[name] { return number }
        if name.hasPrefix("RTMIN") { return within(realTime.first, name.dropFirst(5)) }
        if name.hasPrefix("RTMAX") { return within(realTime.last, name.dropFirst(5)) }
        return SIGTERM
    }

    private static func within(_ base: Int32, _ offset: Substring) -> Int32 {
        guard let step = offset.isEmpty ? 0 : Int32(offset), abs(step) <= 30 else { return SIGTERM }
        let number = base + step
        return (realTime.first...realTime.last).contains(number) ? number : SIGTERM
    }
}
