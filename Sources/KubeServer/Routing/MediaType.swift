import KubeModel
import NIOHTTP1

/// One entry of an `Accept` header or a `Content-Type`.
struct MediaType: Equatable {
    static let json = "application/json"
    static let yaml = "application/yaml"

    /// e.g. `application/json`, lower case.
    let name: String
    /// The parameters but for `q`, by lower-case name.
    let parameters: [String: String]
    let quality: Double

    init?(parsing text: some StringProtocol) {
        var parts = text.split(separator: ";").map { Self.trim($0) }
        guard !parts.isEmpty, !parts[0].isEmpty else { return nil }
        name = parts.removeFirst().lowercased()
        var parameters: [String: String] = [:]
        for part in parts {
            let pair = part.split(separator: "=", maxSplits: 1).map { Self.trim($0) }
            if pair.count == 2 { parameters[pair[0].lowercased()] = pair[1].trimming("\"") }
        }
        quality = parameters.removeValue(forKey: "q").flatMap(Double.init) ?? 1
        self.parameters = parameters
    }

    private static func trim(_ text: some StringProtocol) -> String {
        String(text.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }

    /// The entries of all `Accept` headers, best first; entries of quality 0 are left out.
    static func accepted(_ headers: HTTPHeaders) -> [MediaType] {
        let entries = headers["accept"].flatMap { $0.split(separator: ",") }.compactMap { MediaType(parsing: $0) }.filter { $0.quality > 0 }
        // A stable sort: of two of the same quality the first wins.
        return entries.enumerated().sorted { ($0.element.quality, $1.offset) > ($1.element.quality, $0.offset) }.map(\.element)
    }

    static func content(_ headers: HTTPHeaders) -> MediaType? { headers.first(name: "content-type").flatMap { MediaType(parsing: $0) } }
}

extension String {
    func trimming(_ quote: Character) -> String {
        guard count >= 2, first == quote, last == quote else { return self }
        return String(dropFirst().dropLast())
    }
}

/// The form in which a client wants to have objects.
struct Representation: Equatable {
    enum Form: Equatable {
        case object
        /// `as=Table`
        case table
        /// `as=PartialObjectMetadata` and `as=PartialObjectMetadataList`
        case metadata
    }

    enum Encoding: Equatable { case json, yaml }

    var form = Form.object
    var encoding = Encoding.json
    /// Version of the meta.k8s.io group that tables and metadata are written in.
    var metaVersion = "v1"

    static let plain = Representation()

    /// Picks the first form of the `Accept` header that the server can give. Protobuf it cannot: clients that ask for it
    /// also name JSON.
    /// - Throws: 406.
    static func negotiate(_ headers: HTTPHeaders) throws(APIStatus) -> Representation {
        let accepted = MediaType.accepted(headers)
        if accepted.isEmpty { return plain }
        for type in accepted {
            if let form = Representation(type) { return form }
        }
        throw APIStatus(
            code: 406, reason: "NotAcceptable", message: "only the following media types are accepted: \(MediaType.json), \(MediaType.yaml)")
    }

    init(form: Form = .object, encoding: Encoding = .json, metaVersion: String = "v1") {
        self.form = form
        self.encoding = encoding
        self.metaVersion = metaVersion
    }

    private init?(_ type: MediaType) {
        switch type.name {
        case "*/*", "application/*", MediaType.json: encoding = .json
        case MediaType.yaml, "application/x-yaml", "text/yaml": encoding = .yaml
        default: return nil
        }
        guard let wanted = type.parameters["as"] else { return }
        guard type.parameters["g"] == "meta.k8s.io", let version = type.parameters["v"], ["v1", "v1beta1"].contains(version) else { return nil }
        metaVersion = version
        switch wanted {
        case "Table": form = .table
        case "PartialObjectMetadata", "PartialObjectMetadataList": form = .metadata
        default: return nil
        }
    }
}
