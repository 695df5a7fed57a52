import ArgumentParser
import AsyncHTTPClient
import Glibc
import KubeModel
import NIOCore

struct OpenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "open",
        abstract: "Open a notebook in the browser.",
        discussion: """
            Waits until the notebook's server answers, prints its address with the token, and opens it where a desktop is.

            Example:
              lab open my-notebook -n kubeflow-user-example-com
              lab open my-notebook --print
            """)

    @Argument(help: "The notebook's name.")
    var name: String
    @OptionGroup var namespace: NamespaceOption
    @Flag(name: .customLong("print"), help: "Print the address only.")
    var printsOnly = false
    @Option(help: ArgumentHelp("How long to wait for the server.", valueName: "seconds"))
    var timeout = 120

    func run() async throws {
        let context = LabContext.current
        let address = try await APIClient.use { client in
            let finder = NotebookFinder(client: client, namespace: namespace.resolved(client), patience: .seconds(timeout))
            return try await finder.find(name)
        }
        Output.line(address.url)
        if !printsOnly, let opener = Desktop.opener(context.environment) {
            // The browser goes on when this command has ended; its remarks are not ours.
            try Desktop.open(address.url, with: opener)
        }
    }
}

/// Where a notebook's server is.
struct NotebookAddress: Sendable, Equatable {
    static let portAnnotation = "kindling.dev/port"
    static let prefixVariable = "NB_PREFIX"
    let port: Int
    /// The path that the server is told to serve under.
    let prefix: String
    let token: String

    /// - Returns: `nil` while the notebook has no port yet.
    init?(notebook: JSON, secret: JSON) {
        guard let port = notebook["metadata"]["annotations"][Self.portAnnotation].stringValue.flatMap({ Int($0) }) else { return nil }
        self.port = port
        let namespace = notebook["metadata"]["namespace"].stringValue ?? ""
        let name = notebook["metadata"]["name"].stringValue ?? ""
        let own = notebook["spec"]["template"]["spec"]["containers"][0]["env"].elements
            .first { $0["name"].stringValue == Self.prefixVariable }?["value"].stringValue
        prefix = own ?? "/notebook/\(namespace)/\(name)"
        token = secret["data"]["token"].stringValue.flatMap(Base64.decode).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    private var base: String { "http://127.0.0.1:\(port)" + (prefix.hasSuffix("/") ? String(prefix.dropLast()) : prefix) }
    var url: String { "\(base)/lab" + (token.isEmpty ? "" : "?token=\(PercentCoding.encode(token))") }
    /// Answers 200 to everybody once the server is up (jupyter-server).
    var probe: String { "\(base)/api" }
}

/// Waits for a notebook's pod, port and server.
struct NotebookFinder {
    let client: APIClient
    let namespace: String
    let patience: Duration

    func find(_ name: String) async throws -> NotebookAddress {
        let catalog = try await client.discover()
        let notebooks = try catalog.find("notebooks.kubeflow.org")
        _ = try await client.request(.GET, notebooks.path(namespace: namespace, name: name))
        let deadline = ContinuousClock.now + patience
        let state = NotebookState()
        let notebook: JSON = try await withTimeout(patience, state, name) {
            try await client.wait(for: .named(name, notebooks, namespace)) { object in
                guard let object else { throw CommandError("notebook \(name) was deleted") }
                if let why = state.set(object) { Output.note("waiting for notebook \(name): \(why)") }
                if object["metadata"]["annotations"].has("kubeflow-resource-stopped") {
                    throw CommandError("notebook \(name) is stopped: remove its annotation kubeflow-resource-stopped to start it")
                }
                return object["metadata"]["annotations"].has(NotebookAddress.portAnnotation)
                    && (object["status"]["readyReplicas"].intValue ?? 0) > 0
            }
            return state.value
        }
        let secret = try await client.request(.GET, try catalog.find("secrets").path(namespace: namespace, name: "\(name)-token"))
        guard let address = NotebookAddress(notebook: notebook, secret: secret) else {
            throw CommandError("notebook \(name) has no readable port in its annotation \(NotebookAddress.portAnnotation)")
        }
        try await untilAnswering(address, name, deadline)
        return address
    }

    private func withTimeout(_ limit: Duration, _ state: NotebookState, _ name: String, _ body: @Sendable @escaping () async throws -> JSON)
        async throws -> JSON
    {
        try await withThrowingTaskGroup(of: JSON?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: limit)
                return nil
            }
            defer { group.cancelAll() }
            if let first = try await group.next(), let value = first { return value }
            let why = NotebookState.obstacle(state.value) ?? "its pod has not started"
            throw CommandError(
                "notebook \(name) is not ready after \(limit.components.seconds) s (\(why)): see 'lab logs notebook/\(name)'")
        }
    }

    /// The port is open before the server behind it is.
    private func untilAnswering(_ address: NotebookAddress, _ name: String, _ deadline: ContinuousClock.Instant) async throws {
        var pause = Duration.milliseconds(50)
        var problem = "no connection"
        while ContinuousClock.now < deadline {
            do {
                let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: address.probe), timeout: .seconds(5))
                if response.status.code < 500 { return }
                problem = "it answers \(response.status.code)"
            } catch {
                problem = "\(error)"
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .seconds(1))
        }
        throw CommandError("the server of notebook \(name) does not answer (\(problem)): see 'lab logs notebook/\(name)'")
    }
}

/// Starts programs of the user's desktop.
enum Desktop {
    /// The program that opens addresses; `nil` without a desktop.
    static func opener(_ environment: [String: String]) -> String? {
        guard ["DISPLAY", "WAYLAND_DISPLAY"].contains(where: { !(environment[$0] ?? "").isEmpty }) else { return nil }
        let names = [environment["BROWSER"], "xdg-open"].compactMap { $0 }.filter { !$0.isEmpty }
        return names.lazy.compactMap { Programs.find($0, environment) }.first
    }

    static func open(_ url: String, with program: String) throws(CommandError) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor in 0...2 as ClosedRange<Int32> { posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0) }
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup(program), strdup(url), nil]
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, program, &actions, nil, &arguments, environ)
        if code != 0 { throw CommandError("cannot start \(program): \(String(cString: strerror(code)))") }
    }
}
