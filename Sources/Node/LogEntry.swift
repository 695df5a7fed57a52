import KubeModel

/// One entry of a log in CRI's format: `2006-01-02T15:04:05.999999999Z stdout F text`.
struct LogEntry {
    var timestamp: ArraySlice<UInt8>
    var isStandardError: Bool
    /// More of the same line follows in the next entry of the stream.
    var isPartial: Bool
    var text: ArraySlice<UInt8>

    /// `nil` where the bytes (without a newline) are no entry.
    init?(_ line: ArraySlice<UInt8>) {
        let space = UInt8(ascii: " ")
        guard let first = line.firstIndex(of: space),
            let second = line[(first + 1)...].firstIndex(of: space)
        else { return nil }
        let third = line[(second + 1)...].firstIndex(of: space) ?? line.endIndex
        timestamp = line[..<first]
        // Both names begin alike: `stdout` and `stderr`.
        guard second - first == 7, third > second + 1 else { return nil }
        isStandardError = line[first + 4] == UInt8(ascii: "e")
        // Tags are separated by colons and the first one tells.
        isPartial = line[second + 1] == UInt8(ascii: "P")
        text = third < line.endIndex ? line[(third + 1)...] : []
    }
}

enum LogEntries {
    /// Calls with each entry of some whole lines; what is no entry is left out.
    static func forEach(in bytes: [UInt8], _ body: (LogEntry) -> Void) {
        var start = bytes.startIndex
        while start < bytes.endIndex {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex
            if let entry = LogEntry(bytes[start..<end]) { body(entry) }
            start = end + 1
        }
    }
}
