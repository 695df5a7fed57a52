import Glibc
import KubeModel
import Synchronization

/// The network of a build's RUN steps: that of a pod, lent by labd for as long as this process lives. Without labd there is
/// loopback alone.
final class BuildNetwork: Sendable {
    struct Place: Sendable {
        /// The namespace's file.
        var namespace: String
        /// The text of resolv.conf.
        var resolver: String
    }

    private let state: String
    private let daemon: Int32?
    private let known = Mutex<(isAsked: Bool, place: Place?)>((false, nil))

    init(state: String, daemon: Int32?) {
        self.state = state
        self.daemon = daemon
    }

    /// Asks labd the first time.
    func take() async throws -> Place? {
        let (isAsked, place) = known.withLock { $0 }
        if isAsked { return place }
        let found = try await ask()
        known.withLock { $0 = (true, found) }
        return found
    }

    private func ask() async throws -> Place? {
        guard daemon != nil else {
            Output.note("lab: the lab does not run, so RUN has no network; '\(LabContext.current.command) up --uplink' gives it one")
            return nil
        }
        let access = try APIAccess.read("\(state)/kubeconfig", command: LabContext.current.command)
        let answer = try await APIClient.use(access) { client in
            let answer = try await client.exchange(.POST, "/kindling/v1/networks", body: Array(#"{"pid": \#(getpid())}"#.utf8))
            guard (200..<300).contains(answer.status) else { throw APIClient.refusal(answer) }
            return try answer.json()
        }
        guard let namespace = answer["namespace"].stringValue, let pid = answer["pid"].intValue else {
            throw CommandError("labd's answer names no network: is it of another build? 'lab down --keep-pods', then up")
        }
        return Place(namespace: "/proc/\(pid)/root\(namespace)", resolver: answer["resolver"].stringValue ?? "")
    }
}
