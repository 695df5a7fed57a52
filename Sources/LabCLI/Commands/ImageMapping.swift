import ArgumentParser
import Glibc
import LabDaemon

extension ImageCommand {
    /// Layers have files of many owners, which a user can only make and remove as root of a user namespace with the lab's ids:
    /// the command then runs itself again in one.
    struct Mapping: ParsableArguments {
        @Option(help: .hidden)
        var within: String?
        /// labd, whose user namespace this process is in.
        @Option(help: .hidden)
        var joined: Int32?

        /// Does not return where the command has to run elsewhere.
        /// - Parameter words: the command's own, without those of ``ShareOption``.
        func enter(_ words: [String], _ share: ShareOption) throws {
            let context = LabContext.current
            guard within == nil, !context.isRoot else { return }
            try enter(words, share, daemon: nil)
        }

        /// The same for root too, and where labd runs into its own namespace: so a sandbox may join what is labd's.
        func enterAsLab(_ words: [String], _ share: ShareOption) throws {
            guard within == nil else { return }
            let record = DaemonRecord(path: LabContext.current.paths.record)
            let isAlive = record.map { kill($0.pid, 0) == 0 || errno == EPERM } ?? false
            try enter(words, share, daemon: isAlive ? record?.pid : nil)
        }

        private func enter(_ words: [String], _ share: ShareOption, daemon: Int32?) throws {
            let context = LabContext.current
            guard let own = SmallFile.realPath("/proc/self/exe") else { throw CommandError("cannot find out where this program lies: is /proc mounted?") }
            let shim = try Programs.locate().shim
            var arguments = [shim, "mapped"] + (daemon.map { ["--in", "\($0)"] } ?? []) + [own, "image"] + words
            arguments += ["--within", context.paths.state] + (daemon.map { ["--joined", "\($0)"] } ?? [])
            if let share = share.share { arguments += ["--share", share] }
            var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
            pointers.append(nil)
            execv(shim, &pointers)
            throw CommandError("cannot run \(shim): \(String(cString: strerror(errno)))")
        }
    }
}
