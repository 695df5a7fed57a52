import KubeModel
import NIOCore
import Registry

/// What a client sent, as JSON, whichever way it was written.
enum RequestBody {
    struct Decoded: Sendable {
        let value: JSON
        /// Paths of members that were written twice.
        let duplicates: [String]
    }

    /// The object in the body of a POST, PUT or DELETE.
    /// - Throws: 415 for anything but JSON, YAML and protobuf, 400 for a body that is none of them.
    static func object(_ request: Request) throws(APIStatus) -> Decoded {
        let type = MediaType.content(request.headers)?.name ?? MediaType.json
        switch type {
        case MediaType.json, "*/*", "": return try json(request.body)
        case MediaType.yaml, "application/x-yaml", "text/yaml": return try yaml(request.body)
        case ProtobufObject.contentType:
            return Decoded(value: try ProtobufObject.decode(Array(request.body.readableBytesView)), duplicates: [])
        default: throw unsupported(type, [MediaType.json, MediaType.yaml, ProtobufObject.contentType])
        }
    }

    /// An object that is only spoken (a review, a Scale), checked as strictly as `fieldValidation` wants.
    static func spoken(
        _ request: Request, _ registry: Registry, group: String, version: String, kind: String
    ) throws(APIStatus) -> (value: JSON, warnings: [String]) {
        let body = try object(request)
        guard body.value.objectValue != nil else { throw .badRequest("expected an object of kind \(kind), found \(body.value.typeName)") }
        if let found = body.value["kind"].stringValue, !found.isEmpty, found != kind { throw .badRequest("expected an object of kind \(kind), found \(found)") }
        let options = try WriteParameters.options(request, duplicates: body.duplicates)
        let definition = KindDefinitions.name(group: group, version: version, kind: kind)
        return (body.value, try registry.decode(body.value, as: definition, kind: kind, version: version, options))
    }

    static func json(_ body: ByteBuffer) throws(APIStatus) -> Decoded {
        do throws(JSONSyntaxError) {
            let (value, duplicates) = try JSONParser.parseNoting(body.readableBytesView)
            return Decoded(value: value, duplicates: duplicates)
        } catch {
            throw .badRequest("couldn't read the request's body: \(error)")
        }
    }

    /// One YAML document; JSON is YAML too.
    static func yaml(_ body: ByteBuffer) throws(APIStatus) -> Decoded {
        let documents: [YAML.Document]
        do throws(YAMLError) { documents = try YAML.documents(bytes: Array(body.readableBytesView)) } catch { throw error.status }
        guard documents.count == 1 else { throw .badRequest("expected one YAML document in the request's body, found \(documents.count)") }
        return Decoded(value: documents[0].value, duplicates: [])
    }

    static func unsupported(_ type: String, _ supported: [String]) -> APIStatus {
        APIStatus(
            code: 415, reason: "UnsupportedMediaType",
            message: "the body of the request was in an unknown format - accepted media types include: \(supported.joined(separator: ", ")); found \(type)")
    }
}
