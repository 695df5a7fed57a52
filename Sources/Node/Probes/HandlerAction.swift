import KubeModel

/// Where an HTTP probe or hook asks.
struct HTTPTarget: Sendable, Equatable {
    var isSecure: Bool
    var host: String
    var port: Int
    /// With its query, beginning with a slash.
    var path: String
    /// In the order of the manifest; a name may occur more than once.
    var headers: [Header]

    struct Header: Sendable, Equatable {
        var name: String
        var value: String
    }

    /// As Go prints it in errors.
    var url: String { "\(isSecure ? "https" : "http")://\(authority)\(path)" }
    var authority: String { NetworkAddress(host: host, port: port).text }
}

/// A host, which is an address or a name, and a port.
struct NetworkAddress: Sendable, Equatable {
    var host: String
    var port: Int
    /// `host:port`, with brackets around an IPv6 address.
    var text: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// What a probe or a lifecycle hook does, with names resolved (upstream: v1.ProbeHandler, v1.LifecycleHandler).
enum HandlerAction: Sendable, Equatable {
    case exec([String])
    case httpGet(HTTPTarget)
    case tcpSocket(NetworkAddress)
    case grpc(NetworkAddress, service: String)
    case sleep(seconds: Int)

    /// The handler names something that the container does not have.
    struct Problem: Error, CustomStringConvertible, Equatable {
        let description: String
    }

    /// Reads the handler of a probe, whose commands may name the container's plain variables.
    init(probe json: JSON, of container: ContainerSpec, podAddress: String) throws(Problem) {
        if !json["exec"].isNull {
            self = .exec(Self.expand(json["exec"]["command"].elements.compactMap(\.stringValue), container))
        } else if !json["tcpSocket"].isNull {
            let host = json["tcpSocket"]["host"].stringValue ?? ""
            let port = try Self.port(json["tcpSocket"]["port"], container)
            self = .tcpSocket(NetworkAddress(host: host.isEmpty ? podAddress : host, port: port))
        } else if !json["grpc"].isNull {
            let port = try Self.port(json["grpc"]["port"], container)
            self = .grpc(NetworkAddress(host: podAddress, port: port), service: json["grpc"]["service"].stringValue ?? "")
        } else {
            try self.init(http: json, container, podAddress)
        }
    }

    /// Reads the handler of a hook. `tcpSocket` is in the API and fails when it is to run, as upstream says of it.
    init(hook json: JSON, of container: ContainerSpec, podAddress: String) throws(Problem) {
        if !json["exec"].isNull {
            self = .exec(json["exec"]["command"].elements.compactMap(\.stringValue))
        } else if !json["sleep"].isNull {
            self = .sleep(seconds: max(0, json["sleep"]["seconds"].intValue ?? 0))
        } else {
            try self.init(http: json, container, podAddress)
        }
    }

    private init(http json: JSON, _ container: ContainerSpec, _ podAddress: String) throws(Problem) {
        let get = json["httpGet"]
        guard !get.isNull else { throw Problem(description: "invalid handler: it is neither exec nor httpGet") }
        let host = get["host"].stringValue ?? ""
        let path = get["path"].stringValue ?? "/"
        self = .httpGet(
            HTTPTarget(
                isSecure: get["scheme"].stringValue?.uppercased() == "HTTPS", host: host.isEmpty ? podAddress : host,
                port: try Self.port(get["port"], container), path: path.hasPrefix("/") ? path : "/\(path)",
                headers: get["httpHeaders"].elements.map { header in
                    HTTPTarget.Header(name: header["name"].stringValue ?? "", value: header["value"].stringValue ?? "")
                }))
    }

    /// A number, a numeral or the name of one of the container's ports (upstream: pkg/probe, ResolveContainerPort).
    private static func port(_ json: JSON, _ container: ContainerSpec) throws(Problem) -> Int {
        var port = json.intValue
        if let name = json.stringValue {
            let named = container.json["ports"].elements.first { $0["name"].stringValue == name }
            port = named?["containerPort"].intValue ?? Int(name)
            if port == nil { throw Problem(description: "strconv.Atoi: parsing \"\(name)\": invalid syntax") }
        }
        guard let port, port > 0, port < 65536 else { throw Problem(description: "invalid port number: \(port ?? 0)") }
        return port
    }

    /// Only variables with a plain value count (upstream: ExpandContainerCommandOnlyStatic).
    private static func expand(_ command: [String], _ container: ContainerSpec) -> [String] {
        var values: [String: String] = [:]
        for variable in container.json["env"].elements {
            guard let name = variable["name"].stringValue, variable["valueFrom"].isNull else { continue }
            values[name] = VariableExpansion.expand(variable["value"].stringValue ?? "") { values[$0] }
        }
        return command.map { VariableExpansion.expand($0) { values[$0] } }
    }
}
