// swift-tools-version: 6.1
// Kindling: a Kubeflow lab on one Linux machine. The arrows between targets are drawn in ARCHITECTURE.md; a target may
// only use what stands above it in this file.
import PackageDescription

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
    .product(name: "NIOSSL", package: "swift-nio-ssl"),
]
let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let collections: Target.Dependency = .product(name: "OrderedCollections", package: "swift-collections")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

let package = Package(
    name: "kindling",
    products: [
        .executable(name: "lab", targets: ["lab"]),
        .executable(name: "lab-shim", targets: ["lab-shim"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    ],
    targets: [
        // Pure values and rules: JSON, quantities, selectors, patches, schemas. No I/O.
        .target(name: "KubeModel", dependencies: [collections, yams]),
        // The only writer of the SQLite file; feeds watches after commit.
        .target(
            name: "Catalogue",
            dependencies: ["KubeModel", log, deque, .product(name: "GRDB", package: "GRDB.swift")]),
        // Kinds as data; create, update, patch and delete as the Kubernetes API machinery does them.
        .target(name: "Registry", dependencies: ["KubeModel", "Catalogue", "CResources", log]),
        // Who may do what: roles and bindings, tokens of ServiceAccounts.
        .target(name: "Access", dependencies: ["KubeModel", "Catalogue", "Registry", crypto, .product(name: "X509", package: "swift-certificates")]),
        // bcrypt through libcrypt.
        .target(name: "CCrypt", linkerSettings: [.linkedLibrary("crypt")]),
        // Derived schemas and default environments, embedded at build time (#embed) so that one binary is the whole daemon.
        .target(name: "CResources"),
        // What runs between clone and exec, netlink, descriptor passing: C.
        .target(name: "CSandbox", linkerSettings: [.linkedLibrary("seccomp")]),
        // The supervisor of one container and the helper in the host's namespaces: small C programs in one binary.
        .executableTarget(name: "lab-shim", path: "Sources/Shim"),
        .target(name: "Sandbox", dependencies: ["CSandbox", log]),
        // Not called Network: packages ask canImport(Network) for Apple's framework of that name.
        .target(name: "LabNetwork", dependencies: ["CSandbox", "Sandbox", log, .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio")], path: "Sources/Network"),
        // Unary gRPC calls over HTTP/2, both ends; messages are bytes.
        .target(
            name: "GRPC",
            dependencies: ["KubeModel", .product(name: "NIOHTTP2", package: "swift-nio-http2"), .product(name: "NIOHPACK", package: "swift-nio-http2")] + nio),
        // libarchive, which reads and writes tar and its compressions.
        // gzip's form.
        .target(name: "CZlib", linkerSettings: [.linkedLibrary("z")]),
        .target(name: "CArchive", linkerSettings: [.linkedLibrary("archive")]),
        .target(name: "Images", dependencies: ["KubeModel", "CResources", "CArchive", crypto, log, yams]),
        .target(name: "ControllerRuntime", dependencies: ["KubeModel", "Catalogue", "Registry", log], path: "Sources/Controllers/Runtime"),
        .target(name: "Node", dependencies: ["KubeModel", "Catalogue", "Registry", "Access", "ControllerRuntime", "Sandbox", "LabNetwork", "Images", log] + nio),
        .target(name: "Workloads", dependencies: ["KubeModel", "Catalogue", "Registry", "Access", "ControllerRuntime", log, .product(name: "X509", package: "swift-certificates")], path: "Sources/Controllers/Workloads"),
        .target(name: "Katib", dependencies: ["KubeModel", "Catalogue", "Registry", "ControllerRuntime", crypto, log], path: "Sources/Controllers/Katib"),
        .target(name: "Workflows", dependencies: ["KubeModel", "Catalogue", "Registry", "ControllerRuntime", log], path: "Sources/Controllers/Workflows"),
        .target(name: "Notebooks", dependencies: ["KubeModel", "Catalogue", "Registry", "ControllerRuntime", log], path: "Sources/Controllers/Notebooks"),
        // Names, Services and NetworkPolicies of the cluster, made of what the catalogue holds.
        .target(name: "ClusterNetwork", dependencies: ["KubeModel", "Catalogue", "Registry", "ControllerRuntime", "LabNetwork", log, .product(name: "NIOPosix", package: "swift-nio")], path: "Sources/Controllers/Network"),
        // Compressed header blocks of SPDY, which kubectl's older streams speak.
        .target(name: "CSPDY", linkerSettings: [.linkedLibrary("z")]),
        .target(
            name: "KubeServer",
            dependencies: ["KubeModel", "Catalogue", "Registry", "Access", "CCrypt", "CSPDY", "CZlib", crypto, log, .product(name: "NIOWebSocket", package: "swift-nio")] + nio),
        .target(
            name: "LabDaemon",
            dependencies: [
                "KubeModel", "Catalogue", "Registry", "Access", "KubeServer", "Sandbox", "LabNetwork", "GRPC", "Images", "Node", "ControllerRuntime",
                "Workloads", "Katib", "Workflows", "Notebooks", "ClusterNetwork", "CSandbox", "CZlib", log,
                .product(name: "X509", package: "swift-certificates"), crypto,
            ] + nio),
        .target(
            name: "LabCLI",
            dependencies: [
                "KubeModel", "Sandbox", "Images", "LabNetwork", "Access", "KubeServer", "Node", "Katib", "LabDaemon", crypto, log,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
            ] + nio),
        .executableTarget(name: "lab", dependencies: ["LabCLI", "LabDaemon"]),

        .testTarget(name: "KubeModelTests", dependencies: ["KubeModel"]),
        // A disk that fails on demand: a VFS of SQLite for the tests of the catalogue.
        .target(name: "CFaultyDisk", path: "Tests/CFaultyDisk", linkerSettings: [.linkedLibrary("sqlite3")]),
        .testTarget(name: "CatalogueTests", dependencies: ["Catalogue", "KubeModel", "CFaultyDisk", .product(name: "GRDB", package: "GRDB.swift")], resources: [.copy("Fixtures")]),
        .testTarget(name: "RegistryTests", dependencies: ["Registry", "Catalogue", "KubeModel", log]),
        .testTarget(name: "AccessTests", dependencies: ["Access", "Registry", "Catalogue", "KubeModel", log, .product(name: "X509", package: "swift-certificates"), crypto]),
        .testTarget(name: "SandboxTests", dependencies: ["Sandbox", "CSandbox"]),
        .testTarget(name: "NetworkTests", dependencies: ["LabNetwork"] + nio),
        .testTarget(name: "GRPCTests", dependencies: ["GRPC", "KubeModel"] + nio),
        .testTarget(name: "ImagesTests", dependencies: ["Images", "CArchive", "KubeModel"]),
        .testTarget(name: "NodeTests", dependencies: ["Node", "Access", "Registry", "Catalogue", "KubeModel", "Sandbox", "LabNetwork", "Images", log] + nio),
        .testTarget(name: "WorkloadsTests", dependencies: ["Workloads", "Notebooks", "ControllerRuntime", "Registry", "Catalogue", "KubeModel", log, .product(name: "X509", package: "swift-certificates"), crypto]),
        .testTarget(name: "ClusterNetworkTests", dependencies: ["ClusterNetwork", "ControllerRuntime", "Registry", "Catalogue", "KubeModel", "LabNetwork", log]),
        .testTarget(name: "KatibTests", dependencies: ["Katib", "ControllerRuntime", "Registry", "Catalogue", "KubeModel", log]),
        .testTarget(name: "WorkflowsTests", dependencies: ["Workflows", "ControllerRuntime", "Registry", "Catalogue", "KubeModel", log]),
        .testTarget(name: "KubeServerTests", dependencies: ["KubeServer", "CZlib", "Access", "Registry", "Catalogue", "KubeModel", log, .product(name: "NIOWebSocket", package: "swift-nio")] + nio),
        .testTarget(name: "LabCLITests", dependencies: ["LabCLI", "KubeModel", "Katib", "Images"]),
    ],
    swiftLanguageModes: [.v6]
)
