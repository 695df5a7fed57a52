import KubeModel

/// Turns an object in Kubernetes' protobuf form into JSON. kubectl's imperative commands (`create namespace`, `create job`,
/// `auth can-i`) send their objects this way; answers they also take as JSON.
enum ProtobufObject {
    static let contentType = "application/vnd.kubernetes.protobuf"
    private static let magic: [UInt8] = [0x6b, 0x38, 0x73, 0x00]
    private static let depthLimit = 64

    private enum Problem: Error {
        case malformed
        case unknownMessage(String)
    }

    /// The object in an envelope (`runtime.Unknown` behind four magic bytes).
    /// - Throws: 400 for bytes that are none, 415 for kinds whose protobuf form is not known.
    static func decode(_ bytes: [UInt8]) throws(APIStatus) -> JSON {
        guard bytes.starts(with: magic) else { throw .badRequest("expected a protobuf object that begins with 'k8s', found something else") }
        do {
            let envelope = try fields(bytes.dropFirst(magic.count))
            let type = try fields(envelope[1] ?? [])
            let apiVersion = try text(type[1] ?? [])
            let kind = try text(type[2] ?? [])
            let members = try message(name(apiVersion: apiVersion, kind: kind), envelope[2] ?? [], depth: 0)
            var object: JSONObject = ["apiVersion": .string(apiVersion), "kind": .string(kind)]
            object.merge(members.members) { _, new in new }
            return .object(object)
        } catch Problem.unknownMessage(let name) {
            throw APIStatus(
                code: 415, reason: "UnsupportedMediaType", message: "objects of kind \(name) are not accepted as protobuf: send \(MediaType.json)")
        } catch {
            throw .badRequest("couldn't read the request's body: it is no valid protobuf")
        }
    }

    /// The fields of a message that are bytes, by number.
    private static func fields(_ bytes: ArraySlice<UInt8>) throws -> [Int: ArraySlice<UInt8>] {
        var reader = ProtobufReader(bytes)
        var fields: [Int: ArraySlice<UInt8>] = [:]
        while let (field, value) = try reader.next() {
            if case .bytes(let content) = value { fields[field] = content }
        }
        return fields
    }

    /// `batch/v1` and `Job` to `batch/v1.Job`; options belong to no group.
    private static func name(apiVersion: String, kind: String) -> String {
        if kind == "DeleteOptions" { return "meta/v1.DeleteOptions" }
        let parts = apiVersion.split(separator: "/")
        let group = parts.count == 2 ? parts[0].prefix { $0 != "." } : "core"
        return "\(group)/\(parts.last ?? "v1").\(kind)"
    }

    private static func message(_ name: String, _ bytes: ArraySlice<UInt8>, depth: Int) throws -> JSON {
        guard depth < depthLimit else { throw Problem.malformed }
        guard let description = MessageDescription(name) else { throw Problem.unknownMessage(name) }
        var reader = ProtobufReader(bytes)
        var found: [Int: JSON] = [:]
        while let (number, value) = try reader.next() {
            guard let field = description.fields[number] else { continue }
            if field.isMap {
                let (key, element) = try entry(field, value, depth)
                var map = found[number] ?? [:]
                map[key] = element
                found[number] = map
            } else if field.isList {
                found[number] = .array((found[number]?.elements ?? []) + [try scalar(field.type, value, depth)])
            } else {
                found[number] = try scalar(field.type, value, depth)
            }
        }
        var object = JSONObject()
        for number in description.order {
            guard let value = found[number], let field = description.fields[number], !isUnset(value, field) else { continue }
            if field.name.isEmpty { object.merge(value.members) { _, new in new } } else { object[field.name] = value }
        }
        return .object(object)
    }

    /// Go writes plain fields even when nobody set them.
    private static func isUnset(_ value: JSON, _ field: MessageDescription.Field) -> Bool {
        if value.isNull { return true }
        if field.isPointer || field.isList || field.isMap { return false }
        switch value {
        case .object(let members): return members.isEmpty
        case .string(""), .bool(false), .int(0), .double(0): return field.omitsZero
        default: return false
        }
    }

    private static func entry(_ field: MessageDescription.Field, _ value: ProtobufReader.Value, _ depth: Int) throws -> (String, JSON) {
        var reader = ProtobufReader(try bytes(value))
        var key = ""
        var element: JSON?
        while let (number, value) = try reader.next() {
            if number == 1 { key = try text(try bytes(value)) }
            if number == 2 { element = try scalar(field.type, value, depth) }
        }
        if let element { return (key, element) }
        // An empty value may be left out on the wire.
        return (key, try scalar(field.type, .bytes([]), depth))
    }

    private static func scalar(_ type: MessageDescription.FieldType, _ value: ProtobufReader.Value, _ depth: Int) throws -> JSON {
        switch type {
        case .string: return .string(try text(try bytes(value)))
        case .bool: return .bool(try integer(value) != 0)
        case .integer: return .int(try integer(value))
        case .double:
            guard case .fixed64(let bits) = value else { throw Problem.malformed }
            return .double(Double(bitPattern: bits))
        case .bytes: return .string(Base64.encode(try bytes(value)))
        case .quantity: return .string(try text(try fields(try bytes(value))[1] ?? []))
        case .intOrString: return try intOrString(try bytes(value))
        case .time, .microTime: return try time(try bytes(value), isMicro: { if case .microTime = type { true } else { false } }())
        case .duration: return .string(GoDuration.text(.nanoseconds(try integers(try bytes(value))[1] ?? 0)))
        case .managedFields, .raw:
            let content = try fields(try bytes(value))[1] ?? []
            if content.isEmpty { return .null }
            return try JSONParser.parse(content)
        case .message(let name): return try message(name, try bytes(value), depth: depth + 1)
        case .listMessage(let name): return .array(try message(name, try bytes(value), depth: depth + 1)["items"].elements)
        }
    }

    private static func intOrString(_ bytes: ArraySlice<UInt8>) throws -> JSON {
        let numbers = try integers(bytes)
        if numbers[1] ?? 0 == 0 { return .int(numbers[2] ?? 0) }
        return .string(try text(try fields(bytes)[3] ?? []))
    }

    /// A time; `.null` for Go's zero time, whose message is empty.
    private static func time(_ bytes: ArraySlice<UInt8>, isMicro: Bool) throws -> JSON {
        if bytes.isEmpty { return .null }
        let numbers = try integers(bytes)
        let time = Timestamp(seconds: numbers[1] ?? 0, nanoseconds: Int32(truncatingIfNeeded: numbers[2] ?? 0))
        return .string(isMicro ? time.micro : Timestamp(seconds: time.seconds).description)
    }

    /// The fields of a message that are integers, by number.
    private static func integers(_ bytes: ArraySlice<UInt8>) throws -> [Int: Int64] {
        var reader = ProtobufReader(bytes)
        var numbers: [Int: Int64] = [:]
        while let (field, value) = try reader.next() {
            if case .varint(let number) = value { numbers[field] = Int64(bitPattern: number) }
        }
        return numbers
    }

    private static func integer(_ value: ProtobufReader.Value) throws -> Int64 {
        guard case .varint(let number) = value else { throw Problem.malformed }
        return Int64(bitPattern: number)
    }

    private static func bytes(_ value: ProtobufReader.Value) throws -> ArraySlice<UInt8> {
        guard case .bytes(let content) = value else { throw Problem.malformed }
        return content
    }

    private static func text(_ bytes: ArraySlice<UInt8>) throws -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Problem.malformed }
        return text
    }
}
