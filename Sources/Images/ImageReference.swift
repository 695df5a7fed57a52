/// An image name, normalised as docker and kubelet do it: registry, repository, tag and digest.
///
/// The rules are those of github.com/distribution/reference: a first part with a dot or colon, `localhost`, or one with a
/// capital is the registry, else it is `docker.io`; a single name there is in `library/`; a tag left out is `latest`.
///
///     try ImageReference("python").description                // docker.io/library/python:latest
///     try ImageReference("ghcr.io/kubeflow/katib/x:v1").tag   // v1
public struct ImageReference: Sendable, Hashable, CustomStringConvertible {
    /// The registry, such as `docker.io` or `localhost:5000`.
    public let domain: String
    /// The repository without the registry, such as `library/python`.
    public let path: String
    /// nil only when there is a digest and no tag was written.
    public let tag: String?
    /// Such as `sha256:…`.
    public let digest: String?

    /// - Throws: ``ImageError/invalidReference(image:reason:)``
    public init(_ text: String) throws(ImageError) {
        func invalid(_ reason: String) -> ImageError { .invalidReference(image: text, reason: reason) }
        if text.isEmpty { throw invalid("it is empty; expected a name such as python:3.11") }
        if text.utf8.count > 1024 { throw invalid("it is longer than 1024 bytes") }

        var rest = Substring(text)
        var digest: String?
        if let at = rest.firstIndex(of: "@") {
            digest = String(rest[rest.index(after: at)...])
            rest = rest[..<at]
        }
        let (domain, remote) = Self.split(rest)
        var path = remote
        var tag: String?
        if let colon = remote.firstIndex(of: ":") {
            tag = String(remote[remote.index(after: colon)...])
            path = remote[..<colon]
        }
        if domain == "docker.io" && !path.contains("/") { path = "library/" + path }

        if path.contains(where: { $0.isUppercase }) {
            throw invalid("the repository name \(remote.prefix { $0 != ":" }) must be lower case")
        }
        if !Self.isDomain(domain) { throw invalid("\(domain) is not a registry name") }
        if !Self.isPath(path) {
            throw invalid(
                "\(path.isEmpty ? "an empty repository name" : String(path)) is not a repository name "
                    + "(lower case letters and digits, joined by single . or _, __ or dashes, parted by /)")
        }
        if domain.utf8.count + 1 + path.utf8.count > 255 { throw invalid("the repository name is longer than 255 bytes") }
        if let tag, !Self.isTag(tag) {
            throw invalid("\"\(tag)\" is not a tag (a letter, digit or _, then at most 127 letters, digits, _, . or -)")
        }
        if let digest, !Self.isDigest(digest) { throw invalid("\"\(digest)\" is not a digest such as sha256:…") }
        self.domain = String(domain)
        self.path = String(path)
        self.tag = tag ?? (digest == nil ? "latest" : nil)
        self.digest = digest
    }

    /// The full form, `docker.io/library/python:3.7`.
    public var description: String { "\(domain)/\(path)" + suffix }

    /// The short form that docker prints: without `docker.io/` and `library/`. The tag is always written.
    public var familiar: String {
        guard domain == "docker.io" else { return description }
        let short = path.hasPrefix("library/") && !path.dropFirst(8).contains("/") ? String(path.dropFirst(8)) : path
        return short + suffix
    }

    private var suffix: String {
        (tag.map { ":" + $0 } ?? "") + (digest.map { "@" + $0 } ?? "")
    }
}

extension ImageReference {
    /// Registry and the remainder (repository and tag). Works on patterns too, which is why it checks nothing.
    static func split(_ text: Substring) -> (domain: Substring, remainder: Substring) {
        guard let slash = text.firstIndex(of: "/") else { return ("docker.io", text) }
        let first = text[..<slash]
        let remainder = text[text.index(after: slash)...]
        if first == "index.docker.io" { return ("docker.io", remainder) }
        let isDomain = first == "localhost" || first.contains(where: { $0 == "." || $0 == ":" || $0.isUppercase })
        return isDomain ? (first, remainder) : ("docker.io", text)
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x7a)
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || (byte >= 0x41 && byte <= 0x5a) || byte == UInt8(ascii: "_")
    }

    /// `[a-z0-9]+` joined by `.`, `_`, `__` or any number of dashes, parts parted by `/`.
    private static func isPath(_ path: Substring) -> Bool {
        path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy { component in
            guard let first = component.first, let last = component.last, isAlphanumeric(first), isAlphanumeric(last) else {
                return false
            }
            let separators = component.split(omittingEmptySubsequences: true, whereSeparator: isAlphanumeric)
            return separators.allSatisfy { separator in
                switch separator.first {
                case UInt8(ascii: "."): separator.count == 1
                case UInt8(ascii: "_"): separator.count <= 2 && separator.allSatisfy { $0 == UInt8(ascii: "_") }
                default: separator.allSatisfy { $0 == UInt8(ascii: "-") }
                }
            }
        }
    }

    private static func isDomain(_ domain: Substring) -> Bool {
        var host = domain
        // An IPv6 address in brackets has colons of its own.
        if host.hasPrefix("["), let end = host.firstIndex(of: "]") {
            let address = host[host.index(after: host.startIndex)..<end]
            let rest = host[host.index(after: end)...]
            return !address.isEmpty && address.utf8.allSatisfy { isHexDigit($0) || $0 == UInt8(ascii: ":") }
                && (rest.isEmpty || (rest.hasPrefix(":") && isPort(rest.dropFirst())))
        }
        if let colon = host.firstIndex(of: ":") {
            guard isPort(host[host.index(after: colon)...]) else { return false }
            host = host[..<colon]
        }
        return host.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
            guard let first = label.first, let last = label.last else { return false }
            let ends = [first, last].allSatisfy { isWord($0) && $0 != UInt8(ascii: "_") }
            return ends && label.allSatisfy { ($0 == UInt8(ascii: "-") || isWord($0)) && $0 != UInt8(ascii: "_") }
        }
    }

    private static func isPort(_ text: Substring) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66) || (byte >= 0x41 && byte <= 0x46)
    }

    static func isTag(_ tag: String) -> Bool {
        guard let first = tag.utf8.first, isWord(first), tag.utf8.count <= 128 else { return false }
        return tag.utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
    }

    private static func isDigest(_ digest: String) -> Bool {
        let parts = digest.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count == 2, let first = parts[0].first, isWord(first), parts[1].count >= 32 else { return false }
        let joiners = Set("-_+.".utf8)
        return parts[0].allSatisfy { isWord($0) || joiners.contains($0) } && parts[1].allSatisfy(isHexDigit)
    }
}
