import CZlib
import Foundation
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

@testable import KubeModel
@testable import KubeServer

@Suite("gzip") struct CompressionTests {
    private func inflated(_ bytes: [UInt8]) throws -> [UInt8] {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("kindling-\(UUID().uuidString).gz").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        var content: UnsafeMutablePointer<UInt8>?
        var count = 0
        #expect(czlib_read(path, 1 << 30, &content, &count) == 0)
        defer { free(content) }
        return Array(UnsafeBufferPointer(start: content, count: count))
    }

    private func collected(_ response: Response) async throws -> [UInt8] {
        guard case .stream(let body) = response.body else { return [] }
        let bytes = Mutex<[UInt8]>([])
        try await body(BodyWriter { piece in bytes.withLock { $0 += piece.readableBytesView } })
        return bytes.withLock { $0 }
    }

    @Test func anySizeComesBackAsItWas() async throws {
        var random = SystemRandomNumberGenerator()
        let asked = Request(method: .GET, uri: "/", headers: ["Accept-Encoding": "gzip"])
        for size in [(128 << 10) + 1, 256 << 10, (256 << 10) + 1, 600_001] {
            for isRandom in [false, true] {
                let bytes = (0..<size).map { isRandom ? UInt8.random(in: 0...255, using: &random) : UInt8($0 / 7 % 50) }
                let response = Compression.compressed(Response(type: "text/plain", bytes: ByteBuffer(bytes: bytes)), for: asked)
                #expect(response.headers.first(name: "content-encoding") == "gzip" && response.headers.first(name: "vary") == "Accept-Encoding")
                let small = try await collected(response)
                #expect(isRandom || small.count < size / 10)
                #expect(try inflated(small) == bytes, "\(size)")
            }
        }
    }

    @Test func onlyLargeAnswersToWhoAsksAreCompressed() {
        func isCompressed(_ count: Int, _ headers: HTTPHeaders, _ method: HTTPMethod = .GET) -> Bool {
            let response = Response(type: "text/plain", bytes: ByteBuffer(bytes: [UInt8](repeating: 0, count: count)))
            return Compression.compressed(response, for: Request(method: method, uri: "/", headers: headers)).headers.contains(name: "content-encoding")
        }
        let large = (128 << 10) + 1
        for value in ["gzip", "deflate, gzip;q=0.5", "GZIP", "br;q=1, gzip ; q=1"] { #expect(isCompressed(large, ["Accept-Encoding": value]), "\(value)") }
        for value in ["gzip;q=0", "identity", "deflate", "gzip;q=0.0", ""] { #expect(!isCompressed(large, ["Accept-Encoding": value]), "\(value)") }
        #expect(!isCompressed(128 << 10, ["Accept-Encoding": "gzip"]) && !isCompressed(large, [:]))
        #expect(!isCompressed(large, ["Accept-Encoding": "gzip"], .HEAD))
    }

    @Test func overAConnectionItIsChunked() async throws {
        let lab = try await Lab()
        for index in 0..<40 { try await lab.configMap("c\(index)", ["text": String(repeating: "word \(index) ", count: 1000)]) }
        let server = try await LiveServer(lab)
        let path = "/api/v1/namespaces/team/configmaps"
        let plain = try await server.get(path)
        #expect(plain.headers.first(name: "content-encoding") == nil && plain.headers.first(name: "content-length") == "\(plain.body.count)")
        let small = try await server.get(path, ["Accept-Encoding": "gzip"])
        #expect(small.headers.first(name: "content-encoding") == "gzip" && small.headers.first(name: "transfer-encoding") == "chunked")
        #expect(try inflated(small.body) == plain.body && small.body.count < plain.body.count / 5)
        let watch = try await server.get("\(path)?watch=1&timeoutSeconds=1&resourceVersion=0", ["Accept-Encoding": "gzip"])
        #expect(watch.body.count > 128 << 10 && !watch.headers.contains(name: "content-encoding"))
    }
}
