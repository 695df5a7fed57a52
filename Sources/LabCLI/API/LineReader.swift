import AsyncHTTPClient
import NIOCore

/// Whole lines from a body that arrives in pieces; the last one may lack its line break.
struct LineReader {
    typealias Source = HTTPClientResponse.Body
    private var iterator: HTTPClientResponse.Body.AsyncIterator
    private var buffer: [UInt8] = []
    /// What has been handed out of `buffer` and what has been looked at without finding a break.
    private var start = 0
    private var searched = 0
    private var isAtEnd = false

    init(_ body: HTTPClientResponse.Body) { iterator = body.makeAsyncIterator() }

    /// The next line without its break; `nil` at the end.
    mutating func next() async throws -> ArraySlice<UInt8>? {
        while true {
            if let end = buffer[searched...].firstIndex(of: 0x0A) {
                let line = buffer[start..<end]
                start = end + 1
                searched = start
                return line
            }
            searched = buffer.count
            if isAtEnd {
                guard start < buffer.count else { return nil }
                defer { start = buffer.count }
                return buffer[start...]
            }
            if start > 0 {
                buffer.removeFirst(start)
                searched -= start
                start = 0
            }
            if let piece = try await iterator.next() {
                buffer.append(contentsOf: piece.readableBytesView)
            } else {
                isAtEnd = true
            }
        }
    }
}
