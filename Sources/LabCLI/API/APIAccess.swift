import KubeModel
import NIOSSL

/// What a kubeconfig says of its current context: where the API is and how to be let in.
struct APIAccess: Sendable, Equatable {
    var server: String
    var namespace: String
    var authority: [UInt8]
    var certificate: [UInt8]
    var key: [UInt8]

    static func read(_ path: String, command: String) throws(CommandError) -> APIAccess {
        guard let bytes = try SmallFile.readIfPresent(path) else {
            throw CommandError(
                "no lab has been started from here yet (there is no \(path)): start one with '\(command) up'", reason: APIClient.away)
        }
        return try APIAccess(kubeconfig: try Kubeconfigs.parse(bytes, path: path), path: path)
    }

    /// - Parameter path: for errors.
    init(kubeconfig: JSON, path: String) throws(CommandError) {
        func missing(_ what: String) -> CommandError {
            CommandError("\(path): expected \(what), found none; '\(LabContext.current.command) up' writes the file anew")
        }
        let current = kubeconfig["current-context"].stringValue ?? ""
        func entry(_ list: String, _ name: String, _ content: String) -> JSON {
            kubeconfig[list].elements.first { $0["name"].stringValue == name }?[content] ?? .null
        }
        let context = entry("contexts", current, "context")
        let cluster = entry("clusters", context["cluster"].stringValue ?? "", "cluster")
        let user = entry("users", context["user"].stringValue ?? "", "user")
        guard let server = cluster["server"].stringValue else { throw missing("a cluster with a server for the context '\(current)'") }
        func data(_ value: JSON, _ what: String) throws(CommandError) -> [UInt8] {
            guard let bytes = value.stringValue.flatMap(Base64.decode), !bytes.isEmpty else { throw missing(what) }
            return bytes
        }
        self.server = server
        namespace = context["namespace"].stringValue ?? "default"
        authority = try data(cluster["certificate-authority-data"], "certificate-authority-data")
        certificate = try data(user["client-certificate-data"], "client-certificate-data")
        key = try data(user["client-key-data"], "client-key-data")
    }

    func tls() throws(CommandError) -> TLSConfiguration {
        do {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.minimumTLSVersion = .tlsv12
            configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(authority))
            configuration.certificateChain = try NIOSSLCertificate.fromPEMBytes(certificate).map { .certificate($0) }
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: key, format: .pem))
            return configuration
        } catch {
            throw CommandError(
                "the kubeconfig's certificates cannot be used: \(error); '\(LabContext.current.command) up' writes them anew")
        }
    }
}

/// Kubeconfig files: YAML in, YAML out.
enum Kubeconfigs {
    static func parse(_ bytes: [UInt8], path: String) throws(CommandError) -> JSON {
        do {
            let documents = try YAML.documents(bytes: bytes)
            guard let first = documents.first else { return [:] }
            guard case .object = first.value else {
                throw CommandError("\(path): expected a kubeconfig, found \(first.value.typeName); it was not changed")
            }
            return first.value
        } catch let known as CommandError {
            throw known
        } catch {
            throw CommandError("\(path): \(error); it was not changed")
        }
    }
}
