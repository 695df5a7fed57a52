import ArgumentParser
import Glibc

extension ImageCommand {
    /// Layers have files of many owners, which a user can only make and remove as root of a user namespace with the lab's ids:
    /// the command then runs itself again in one.
    struct Mapping: ParsableArguments {
        @Option(help: .hidden)
        var within: String?

        /// Does not return where the command has to run elsewhere.
        /// - Parameter words: the command's own, without those of ``ShareOption``.
        func enter(_ words: [String], _ share: ShareOption) throws {
            let context = LabContext.current
            guard within == nil, !context.isRoot else { return }
            guard let own = SmallFile.realPath("/proc/self/exe") else { throw CommandError("cannot find out where this program lies: is /proc mounted?") }
            let shim = try Programs.locate().shim
            var arguments = [shim, "mapped", own, "image"] + words + ["--within", context.paths.state]
            if let share = share.share { arguments += ["--share", share] }
            var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
            pointers.append(nil)
            execv(shim, &pointers)
            throw CommandError("cannot run \(shim): \(String(cString: strerror(errno)))")
        }
    }
}
