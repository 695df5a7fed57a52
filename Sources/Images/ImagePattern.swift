/// A name in an environment's `images:` list: an image name in which `*` stands for any characters.
///
/// It is normalised as an image name is, so `python:*` matches `docker.io/library/python:3.7` and `jupyter/*` all of
/// `docker.io/jupyter`. Without a tag it means `latest`, as everywhere; one whose repository has a `*` then means any tag.
public struct ImagePattern: Sendable, Hashable, CustomStringConvertible {
    /// As written.
    public let description: String
    /// Normalised: two ways of writing one name are one.
    var canonical: String { name + ":" + tag + (digest.map { "@" + $0 } ?? "") }
    private let name: String
    private let tag: String
    private let digest: String?
    /// Of several matching patterns the one with the most characters that are not `*` wins.
    let specificity: Int

    /// - Throws: ``ImageError/invalidReference(image:reason:)``
    public init(_ text: String) throws(ImageError) {
        // With the stars replaced by a letter that is allowed everywhere it must be a sound name.
        let probe = try ImageReference(String(text.map { $0 == "*" ? "x" : $0 }))
        var rest = Substring(text)
        if let at = rest.firstIndex(of: "@") { rest = rest[..<at] }
        let (domain, remote) = ImageReference.split(rest)
        var path = remote
        var tag: Substring?
        if let colon = remote.firstIndex(of: ":") {
            tag = remote[remote.index(after: colon)...]
            path = remote[..<colon]
        }
        if domain == "docker.io" && !path.contains("/") { path = "library/" + path }
        self.description = text
        self.name = "\(domain)/\(path)"
        self.tag = tag.map(String.init) ?? (path.contains("*") ? "*" : "latest")
        self.digest = probe.digest
        self.specificity = (self.name + self.tag).utf8.reduce(into: 0) { $0 += $1 == UInt8(ascii: "*") ? 0 : 1 }
    }

    /// True when the pattern has no `*`, hence names one image.
    public var isExact: Bool { !name.contains("*") && !tag.contains("*") }

    /// A reference with a digest matches where any tag does, or its own tag: no environment here can be named by digest.
    public func matches(_ image: ImageReference) -> Bool {
        guard glob(name, "\(image.domain)/\(image.path)") else { return false }
        if let digest { return digest == image.digest }
        guard let tag = image.tag else { return self.tag == "*" }
        return glob(self.tag, tag)
    }

    /// Linear for one star and never worse than quadratic: on a mismatch only the last star is taken up again.
    private func glob(_ pattern: String, _ text: String) -> Bool {
        let p = Array(pattern.utf8)
        let t = Array(text.utf8)
        var i = 0
        var j = 0
        var star = -1
        var mark = 0
        while j < t.count {
            if i < p.count && p[i] == UInt8(ascii: "*") {
                star = i
                mark = j
                i += 1
            } else if i < p.count && p[i] == t[j] {
                i += 1
                j += 1
            } else if star >= 0 {
                i = star + 1
                mark += 1
                j = mark
            } else {
                return false
            }
        }
        return p[i...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
