import Foundation

@testable import Images

/// A tar made by hand, so that it may say what no tool would write.
struct Tar {
    private(set) var bytes: [UInt8] = []

    enum Kind: Character { case file = "0", hardLink = "1", link = "2", character = "3", directory = "5", pipe = "6" }

    mutating func add(_ name: String, _ content: String = "", kind: Kind = .file, link: String = "", mode: Int = 0o644, uid: Int = 0) {
        let body = Array(content.utf8)
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) { header.replaceSubrange(offset..<(offset + text.utf8.count), with: text.utf8) }
        func octal(_ number: Int, _ digits: Int) -> String {
            let text = String(number, radix: 8)
            return String(repeating: "0", count: digits - text.count) + text
        }
        put(name, at: 0)
        put(octal(mode, 7), at: 100)
        put(octal(uid, 7), at: 108)
        put(octal(uid, 7), at: 116)
        put(octal(body.count, 11), at: 124)
        put(octal(1_700_000_000, 11), at: 136)
        put("        ", at: 148)
        put(String(kind.rawValue), at: 156)
        put(link, at: 157)
        put("ustar\u{0}00", at: 257)
        let sum = header.reduce(0) { $0 + Int($1) }
        put(octal(sum, 6) + "\u{0} ", at: 148)
        bytes += header + body + [UInt8](repeating: 0, count: (512 - body.count % 512) % 512)
    }

    /// With the two empty blocks at its end.
    var finished: [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }
}

/// Images as archives have them.
struct TestImage {
    var layers: [[UInt8]]
    var config: [String: Any] = [:]
    var architecture = ImageLayout.machine

    var configuration: [UInt8] {
        let json: [String: Any] = [
            "architecture": architecture, "os": "linux", "config": config,
            "rootfs": ["type": "layers", "diff_ids": layers.map { Digest.of($0) }],
            "history": layers.map { _ in ["created": "2026-01-01T00:00:00Z", "created_by": "COPY it /"] } + [["created_by": "ENV A=b", "empty_layer": true]],
        ]
        return try! Array(JSONSerialization.data(withJSONObject: json, options: [.sortedKeys]))
    }

    /// As `docker save` wrote it for ten years: layers by id, and a link for one that comes twice.
    func dockerArchive(_ names: [String]) -> [UInt8] {
        var tar = Tar()
        var members: [String] = []
        for (index, layer) in layers.enumerated() {
            members.append("\(index)/layer.tar")
            if let same = layers[..<index].firstIndex(of: layer) {
                tar.add("\(index)/layer.tar", kind: .link, link: "../\(same)/layer.tar")
            } else {
                tar.add("\(index)/layer.tar", String(decoding: layer, as: UTF8.self))
            }
        }
        tar.add("config.json", String(decoding: configuration, as: UTF8.self))
        let manifest: [[String: Any]] = [["Config": "config.json", "RepoTags": names, "Layers": members]]
        tar.add("manifest.json", String(decoding: try! JSONSerialization.data(withJSONObject: manifest), as: UTF8.self))
        return tar.finished
    }
}
