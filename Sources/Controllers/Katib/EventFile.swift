import Glibc
import KubeModel

/// TensorBoard's event files, read without TensorFlow: TFRecords (length, its checksum, data, its checksum) of the protocol
/// buffer `Event` (tensorflow/core/util/event.proto, framework/summary.proto, framework/tensor.proto).
enum EventFile {
    struct Scalar: Equatable, Sendable {
        let tag: String
        /// Seconds since 1970.
        let wallTime: Double
        /// As Python's `str` prints the value.
        let text: String
    }

    /// Larger records (images, graphs) hold no scalar.
    private static let recordLimit = 16 << 20

    /// The scalars of a file in their order. A file that ends within a record, as one being written does, gives what is
    /// before it; so does one with a record that is damaged.
    static func scalars(in bytes: [UInt8]) -> [Scalar] {
        bytes.withUnsafeBytes { buffer in
            var scalars: [Scalar] = []
            var position = 0
            while buffer.count - position >= 16 {
                let length = buffer.loadUnaligned(fromByteOffset: position, as: UInt64.self).littleEndian
                let check = buffer.loadUnaligned(fromByteOffset: position + 8, as: UInt32.self).littleEndian
                guard check == CRC32C.masked(buffer[position..<position + 8]), length <= UInt64(buffer.count - position - 16) else { break }
                let data = UnsafeRawBufferPointer(rebasing: buffer[position + 12..<position + 12 + Int(length)])
                position += 16 + Int(length)
                if data.count <= recordLimit { scalars += event(data) }
            }
            return scalars
        }
    }

    /// Whether a tag of a file is a metric (upstream: tfevent_loader.py, `_should_consider`): a name `train/loss` is the tag
    /// `loss` in files of a directory `train`, and tags may go on behind the name, as `loss_1` does.
    static func isMetric(_ name: String, tag: String, file: String) -> Bool {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        let directory = file.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        guard let last = parts.last, tag.hasPrefix(last) else { return false }
        return parts.count < 2 || directory.hasSuffix(parts.dropLast().joined(separator: "/"))
    }

    // MARK: The messages

    private static func event(_ data: UnsafeRawBufferPointer) -> [Scalar] {
        var time = 0.0
        var summary: UnsafeRawBufferPointer?
        var fields = ProtobufFields(data)
        while let field = fields.next() {
            switch (field.number, field.value) {
            case (1, .fixed64(let bits)): time = Double(bitPattern: bits)
            case (5, .bytes(let bytes)): summary = bytes
            default: break
            }
        }
        guard let summary, time.isFinite else { return [] }
        var scalars: [Scalar] = []
        var values = ProtobufFields(summary)
        while let field = values.next() {
            if field.number == 1, case .bytes(let bytes) = field.value, let (tag, text) = value(bytes) {
                scalars.append(Scalar(tag: tag, wallTime: time, text: text))
            }
        }
        return scalars
    }

    /// `Summary.Value`: its tag and its number, the old form `simple_value` or a tensor of one element.
    private static func value(_ data: UnsafeRawBufferPointer) -> (String, String)? {
        var (tag, text): (String?, String?) = (nil, nil)
        var fields = ProtobufFields(data)
        while let field = fields.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let bytes)): tag = String(decoding: bytes, as: UTF8.self)
            case (2, .fixed32(let bits)): text = Self.text(Double(Float(bitPattern: bits)))
            case (8, .bytes(let bytes)): text = tensor(bytes) ?? text
            default: break
            }
        }
        guard let tag, let text else { return nil }
        return (tag, text)
    }

    /// `TensorProto` of one number: a float, a double or a whole number, as packed values or as raw content.
    private static func tensor(_ data: UnsafeRawBufferPointer) -> String? {
        var type: UInt64 = 0
        var content: UnsafeRawBufferPointer?
        var found: [String] = []
        var fields = ProtobufFields(data)
        while let field = fields.next() {
            switch (field.number, field.value) {
            case (1, .varint(let number)): type = number
            case (4, .bytes(let bytes)): content = bytes
            case (5, .fixed32(let bits)): found.append("\(Float(bitPattern: bits))")
            case (5, .bytes(let bytes)): found += list(bytes, 4) { "\(Float(bitPattern: UInt32(truncatingIfNeeded: $0)))" }
            case (6, .fixed64(let bits)): found.append(text(Double(bitPattern: bits)))
            case (6, .bytes(let bytes)): found += list(bytes, 8) { text(Double(bitPattern: $0)) }
            case (7, .varint(let number)), (10, .varint(let number)): found.append("\(Int64(bitPattern: number))")
            case (7, .bytes(let bytes)), (10, .bytes(let bytes)):
                var numbers = ProtobufFields(bytes)
                while let number = numbers.varint() { found.append("\(Int64(bitPattern: number))") }
            default: break
            }
        }
        if let content, !content.isEmpty {
            switch type {
            case 1: found = list(content, 4) { "\(Float(bitPattern: UInt32(truncatingIfNeeded: $0)))" }
            case 2: found = list(content, 8) { text(Double(bitPattern: $0)) }
            case 3: found = list(content, 4) { "\(Int32(truncatingIfNeeded: $0))" }
            case 9: found = list(content, 8) { "\(Int64(bitPattern: $0))" }
            default: return nil
            }
        }
        return found.count == 1 ? found[0] : nil
    }

    private static func list(_ bytes: UnsafeRawBufferPointer, _ width: Int, _ make: (UInt64) -> String) -> [String] {
        stride(from: 0, to: bytes.count - width + 1, by: width).map { offset in
            make((0..<width).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) })
        }
    }

    private static func text(_ number: Double) -> String { "\(number)" }
}

/// The fields of a protocol buffer message, one after the other; stops at what is no field.
struct ProtobufFields {
    enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        case bytes(UnsafeRawBufferPointer)
    }

    private let data: UnsafeRawBufferPointer
    private var position = 0

    init(_ data: UnsafeRawBufferPointer) { self.data = data }

    mutating func next() -> (number: Int, value: Value)? {
        guard let key = varint(), key >> 3 > 0 else { return nil }
        let number = Int(truncatingIfNeeded: key >> 3)
        switch key & 7 {
        case 0: return varint().map { (number, .varint($0)) }
        case 1: return take(8).map { (number, .fixed64($0.loadUnaligned(as: UInt64.self).littleEndian)) }
        case 2:
            guard let length = varint(), length <= UInt64(data.count - position) else { return nil }
            return take(Int(length)).map { (number, .bytes($0)) }
        case 5: return take(4).map { (number, .fixed32($0.loadUnaligned(as: UInt32.self).littleEndian)) }
        default: return nil
        }
    }

    mutating func varint() -> UInt64? {
        var result: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard position < data.count else { return nil }
            let byte = data[position]
            position += 1
            result |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return result }
        }
        return nil
    }

    private mutating func take(_ count: Int) -> UnsafeRawBufferPointer? {
        guard data.count - position >= count else { return nil }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: data[position..<position + count])
    }
}

/// The checksum of TFRecords: CRC-32C, rotated and shifted, as LevelDB masks it.
enum CRC32C {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
    }

    static func masked(_ bytes: some Sequence<UInt8>) -> UInt32 {
        let crc = ~bytes.reduce(~UInt32(0)) { table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ $0 >> 8 }
        return (crc >> 15 | crc << 17) &+ 0xA282_EAD8
    }
}
