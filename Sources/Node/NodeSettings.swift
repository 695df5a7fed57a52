/// What the node needs to be told: its name, where it keeps things and what it lends to pods.
public struct NodeSettings: Sendable {
    /// The Node object's name, a DNS subdomain.
    public var name: String
    /// The lab's state directory. Pods are kept in `pods/<uid>`, volumes in `volumes/<namespace>/<claim>-<uid>`.
    public var stateDirectory: String
    /// How often the allocatable cpu may be promised; 1 is as kube-scheduler does it. Memory and GPUs are never overcommitted.
    public var cpuOvercommit: Double
    /// What is kept back for the daemon and the host, in thousandths of a core and in bytes.
    public var reservedMillicores: Int
    public var reservedMemoryBytes: Int
    public var maximumPods: Int
    /// hostPath volumes are refused unless their path lies beneath one of these.
    public var allowedHostPaths: [String]
    /// Directories of CDI files beside `/etc/cdi` and `/var/run/cdi`; a device of a later one goes before.
    public var deviceDirectories: [String]
    /// Among how many pods each GPU is shared.
    public var gpuSlices: Int
    /// A file with directories that PersistentVolumes may lead to for reading, a path a line; it is read whenever it matters.
    public var sharedDirectories: String?
    public var clusterDomain: String
    /// Where the names of the cluster are answered: what pods with the policy ClusterFirst ask; `nil` where nobody answers.
    public var clusterDNS: String?
    /// What pods with the policy Default find in `/etc/resolv.conf`.
    public var nameservers: [String]
    public var searchDomains: [String]
    /// The address of the Service `kubernetes`; `nil` where pods cannot reach the API.
    public var apiAddress: String?
    /// What of the lab itself every pod finds in its `/etc/hosts`.
    public var services: [(ip: String, hostnames: [String])]
    /// The node's address as pods see it: `status.hostIP`.
    public var address: String
    /// A container's log file becomes `path.1` beyond this size; so many files are kept.
    public var logFileBytes: UInt64
    public var logFiles: UInt32
    /// Processes and threads that one container may have.
    public var processLimit: UInt64
    /// For `status.nodeInfo`.
    public var version: String

    public init(name: String, stateDirectory: String) {
        self.name = name
        self.stateDirectory = stateDirectory
        cpuOvercommit = 1
        reservedMillicores = 0
        reservedMemoryBytes = 256 << 20
        maximumPods = 250
        allowedHostPaths = []
        deviceDirectories = []
        gpuSlices = 1
        clusterDomain = "cluster.local"
        nameservers = []
        searchDomains = []
        services = []
        address = "169.254.1.1"
        logFileBytes = 10 << 20
        logFiles = 5
        processLimit = 4096
        version = "v1.32.0"
    }

    /// `1.32` of `v1.32.0`.
    var minorVersion: String {
        version.drop { $0 == "v" }.split(separator: ".").prefix(2).joined(separator: ".")
    }

    var podsDirectory: String { "\(stateDirectory)/pods" }
    var volumesDirectory: String { "\(stateDirectory)/volumes" }
    func podDirectory(_ uid: String) -> String { "\(podsDirectory)/\(uid)" }
}
