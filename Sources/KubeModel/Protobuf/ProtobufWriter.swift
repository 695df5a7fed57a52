/// Writes protobuf's wire format, as much of it as OpenAPI documents and Katib's messages need.
public struct ProtobufWriter {
    public private(set) var bytes: [UInt8] = []

    public init() {}

    /// A string field; an empty one is left out, as proto3 does.
    public mutating func string(_ field: Int, _ text: String?) {
        guard let text, !text.isEmpty else { return }
        tag(field, 2)
        varint(UInt64(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    public mutating func flag(_ field: Int, _ value: Bool?) {
        guard value == true else { return }
        tag(field, 0)
        varint(1)
    }

    public mutating func integer(_ field: Int, _ value: Int?) {
        guard let value, value != 0 else { return }
        tag(field, 0)
        varint(UInt64(bitPattern: Int64(value)))
    }

    public mutating func double(_ field: Int, _ value: Double?) {
        guard let value, value != 0 else { return }
        tag(field, 1)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// A message inside this one, written even when it is empty.
    public mutating func message(_ field: Int, _ body: (inout ProtobufWriter) -> Void) {
        var inner = ProtobufWriter()
        body(&inner)
        tag(field, 2)
        varint(UInt64(inner.bytes.count))
        bytes.append(contentsOf: inner.bytes)
    }

    /// A field of bytes, of text or of a message that is encoded already; written even when it is empty.
    public mutating func bytes(_ field: Int, _ content: some Collection<UInt8>) {
        tag(field, 2)
        varint(UInt64(content.count))
        bytes.append(contentsOf: content)
    }

    /// A list of numbers, packed.
    public mutating func packed(_ field: Int, _ values: [Int]) {
        if values.isEmpty { return }
        var inner = ProtobufWriter()
        for value in values { inner.varint(UInt64(bitPattern: Int64(value))) }
        bytes(field, inner.bytes)
    }

    private mutating func tag(_ field: Int, _ wireType: UInt64) { varint(UInt64(field) << 3 | wireType) }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
