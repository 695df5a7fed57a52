/// How ids inside labd's user namespace relate to those of the machine.
public enum IdMap: String, Codable, Sendable {
    /// Every id is itself (the lab was started by root).
    case identity
    /// 0 is the user, 1 and up the ranges that /etc/subuid and /etc/subgid give the user.
    case ranges
    /// Only 0 exists, which is the user.
    case single
}

/// The way out of labd's network namespace.
public struct UplinkStatus: Codable, Hashable, Sendable {
    public enum Kind: String, Codable, Sendable { case none, veth, pasta, slirp4netns }
    public enum State: String, Codable, Sendable { case down, starting, up, stopping }

    public let kind: Kind
    public let state: State
    /// Name in labd's namespace; empty when down.
    public let interface: String
    /// Resolvers that a pod reaches through the uplink.
    public let nameservers: [String]

    public init(kind: Kind, state: State, interface: String, nameservers: [String]) {
        self.kind = kind
        self.state = state
        self.interface = interface
        self.nameservers = nameservers
    }
}

/// What the helper knows of itself and of labd.
public struct HelperStatus: Codable, Hashable, Sendable {
    public struct Daemon: Codable, Hashable, Sendable {
        public struct Exit: Codable, Hashable, Sendable {
            /// -1 when it was ended by a signal, or was not the helper's own child.
            public let code: Int32
            /// 0 when it was not ended by one.
            public let signal: Int32
        }
        /// 0 when it does not run.
        public let pid: Int32
        public let running: Bool
        /// Starts by this helper.
        public let starts: Int
        public let path: String
        public let lastExit: Exit?
    }

    public let pid: Int32
    /// Seconds since 1970.
    public let startedAt: Int64
    public let uptimeSeconds: Int64
    public let foreground: Bool
    public let idmap: IdMap
    /// Why it is no better than it is, and what would make it so; else empty.
    public let idmapNote: String
    /// The namespaces were made by an earlier helper.
    public let adopted: Bool
    /// What did not survive the end of an earlier helper, a sentence each.
    public let lost: [String]
    public let daemon: Daemon
    public let uplink: UplinkStatus
}

/// What `lab up` is told when the helper is ready: its status at that moment.
public typealias HelperReport = HelperStatus

/// The host's network, which labd does not see from its own namespace.
public struct HostNetwork: Codable, Hashable, Sendable {
    /// Of the default route's device, in bytes; 1500 without one.
    public let mtu: Int
    public let routes: [IPv4Range]
    public let nameservers: [String]
    public let search: [String]

    public init(mtu: Int, routes: [IPv4Range], nameservers: [String], search: [String]) {
        self.mtu = mtu
        self.routes = routes
        self.nameservers = nameservers
        self.search = search
    }
}

/// A listening socket as the helper lists it.
public struct ListeningPort: Codable, Hashable, Sendable {
    public let name: String
    public let address: String
    public let port: Int
}

/// A listening TCP socket in the host's network namespace. Whoever holds the value owns the descriptor and closes it.
public struct ListeningSocket: Hashable, Sendable {
    public let name: String
    public let address: String
    public let port: Int
    public let descriptor: Int32

    public init(name: String, address: String, port: Int, descriptor: Int32) {
        self.name = name
        self.address = address
        self.port = port
        self.descriptor = descriptor
    }
}
