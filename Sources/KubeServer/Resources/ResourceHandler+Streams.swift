import Catalogue
import KubeModel
import NIOHTTP1
import Registry

/// `pods/exec`, `pods/attach` and `pods/portforward` (upstream: pkg/registry/core/pod/rest/subresources.go and the streaming server of
/// k8s.io/kubelet).
extension ResourceHandler {
    private static let webSockets = ChannelProtocol.allCases.map(\.rawValue)
    private static let versions = SPDYCommandSession.versions.map(\.name)

    /// - Parameter attaches: to the container's own program; else the query's command is run.
    func remoteCommand(_ target: Target, _ name: String, _ request: Request, attaches: Bool) async throws -> Response {
        let (pod, streams) = try streamable(target, name)
        let command = try command(pod, request.query, attaches: attaches)
        let upgrade = try StreamRequest(request)
        if let refusal = await refusal(streams, command) { return refusal }
        let remote = RemoteCommand(command: command, streams: streams)
        switch upgrade {
        case .webSocket(let protocols, let key):
            guard let name = StreamRequest.negotiate(protocols, Self.webSockets), let channels = ChannelProtocol(rawValue: name) else {
                return StreamRequest.refusal(protocols, Self.webSockets)
            }
            return StreamRequest.webSocket(name, key: key, sendsText: channels.isBase64) { ChannelCommandSession(channels, remote, $0) }
        case .spdy(let versions):
            // Clients of the first days name no version (upstream: streaming server's createHTTPStreamStreams).
            let wanted = versions.isEmpty ? ["channel.k8s.io"] : versions
            guard let name = StreamRequest.negotiate(wanted, Self.versions),
                let version = SPDYCommandSession.versions.first(where: { $0.name == name })?.number
            else { return StreamRequest.refusal(wanted, Self.versions) }
            return StreamRequest.spdy(name) { SPDYCommandSession(version: version, remote, $0) }
        }
    }

    func portForward(_ target: Target, _ name: String, _ request: Request) async throws -> Response {
        let (pod, streams) = try streamable(target, name)
        let destination = ForwardTarget(namespace: pod.namespace, pod: name, uid: pod.uid, streams: streams)
        let upgrade = try StreamRequest(request)
        if pod.status["phase"].stringValue != "Running" {
            throw APIStatus.internalError("unable to forward port because pod is not running. Current status=\(pod.status["phase"].stringValue ?? "Pending")")
        }
        switch upgrade {
        case .spdy(let versions):
            let known = [SPDYForwardSession.name]
            guard let version = StreamRequest.negotiate(versions, known) else { return StreamRequest.refusal(versions, known) }
            return StreamRequest.spdy(version) { SPDYForwardSession(destination, $0) }
        case .webSocket(let protocols, let key):
            if protocols.contains(SPDYForwardSession.tunnelName) {
                return StreamRequest.webSocket(SPDYForwardSession.tunnelName, key: key, sendsText: false) { SPDYForwardSession(destination, $0) }
            }
            let known = [ChannelProtocol.version4, .version4Base64, .unnamed].map(\.rawValue)
            guard let name = StreamRequest.negotiate(protocols, known), let channels = ChannelProtocol(rawValue: name) else {
                return StreamRequest.refusal(protocols, known + [SPDYForwardSession.tunnelName])
            }
            let ports = try ports(request.query)
            return StreamRequest.webSocket(name, key: key, sendsText: channels.isBase64) {
                ChannelForwardSession(channels, ports: ports, destination, $0)
            }
        }
    }

    private func streamable(_ target: Target, _ name: String) throws(APIStatus) -> (StoredObject, any PodStreams) {
        guard let pod = catalogue.get(target.key(name)) else { throw .notFound("pods", group: "", name: name) }
        guard let streams else { throw APIStatus(code: 503, reason: "ServiceUnavailable", message: "this server has no node that runs pods") }
        guard !(pod.spec["nodeName"].stringValue ?? "").isEmpty else { throw .badRequest("pod \(name) does not have a host assigned") }
        return (pod, streams)
    }

    private func command(_ pod: StoredObject, _ query: Query, attaches: Bool) throws(APIStatus) -> PodCommand {
        let container = try container(of: pod, query["container"] ?? "")
        var command = PodCommand(namespace: pod.namespace, pod: pod.name, container: container)
        command.takesInput = query.flag("stdin")
        // Upstream's defaults for what is not said.
        command.wantsOutput = query["stdout"] == nil || query.flag("stdout")
        command.usesTerminal = query.flag("tty")
        // With a terminal there is no stream for errors.
        command.wantsErrors = !command.usesTerminal && (query["stderr"] == nil || query.flag("stderr"))
        guard command.takesInput || command.wantsOutput || command.wantsErrors else {
            throw .badRequest("you must specify at least 1 of stdin, stdout, stderr")
        }
        if attaches { return command }
        command.command = query.values("command")
        guard !command.command.isEmpty else { throw .badRequest("you must specify at least one command for the container") }
        return command
    }

    /// Upstream: validateContainer.
    private func container(of pod: StoredObject, _ wanted: String) throws(APIStatus) -> String {
        func names(_ field: String) -> [String] { pod.spec[field].elements.compactMap { $0["name"].stringValue } }
        let main = names("containers")
        let all = names("initContainers") + main + names("ephemeralContainers")
        if wanted.isEmpty {
            if main.count == 1 { return main[0] }
            throw .badRequest("a container name must be specified for pod \(pod.name), choose one of: [\(all.joined(separator: " "))]")
        }
        guard all.contains(wanted) else { throw .badRequest("container \(wanted) is not valid for pod \(pod.name)") }
        return wanted
    }

    /// What does not run is refused before the upgrade, as the node's own streaming server does: in plain text.
    private func refusal(_ streams: any PodStreams, _ command: PodCommand) async -> Response? {
        do {
            try await streams.checkRuns(namespace: command.namespace, pod: command.pod, container: command.container)
            return nil
        } catch {
            return .text(error.message, status: HTTPResponseStatus(statusCode: error.code))
        }
    }

    /// Upstream: portforward.NewV4Options.
    private func ports(_ query: Query) throws(APIStatus) -> [Int] {
        let texts = query.values("ports") + query.values("port")
        guard !texts.isEmpty else { throw .badRequest("query parameter \"port\" is required") }
        var ports: [Int] = []
        for text in texts.flatMap({ $0.split(separator: ",", omittingEmptySubsequences: false) }) {
            guard let port = UInt16(text), port > 0 else { throw .badRequest("unable to parse \"\(text)\" as a port") }
            ports.append(Int(port))
        }
        // Channels are numbered with one byte, the last of which is taken.
        guard ports.count <= 127 else { throw .badRequest("at most 127 ports go over one WebSocket; found \(ports.count)") }
        return ports
    }
}
