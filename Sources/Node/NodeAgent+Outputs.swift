import Catalogue
import KubeModel

/// What an ended container leaves behind.
extension NodeAgent {
    /// The end of what the newest attempt of a container has printed to its standard output; `nil` where it never ran.
    /// - Parameter limit: the most bytes; what comes first is left out.
    public func standardOutput(namespace: String, pod name: String, uid: String, container: String, limit: Int) async -> String? {
        let worker = logs.kubelet.worker(for: ObjectKey(.pods, namespace: namespace, name: name), uid: uid)
        guard let source = await worker.log(of: container, previous: false) else { return nil }
        let reader = LogReaderBox(LogReader(files: source.files))
        var output = OutputEnd(limit: limit)
        while let chunk = reader.next() { output.add(chunk) }
        return output.text
    }

    /// A file that the pod's annotation `kindling.dev/kept-files` names, as it was at the pod's end, for which this waits.
    /// - Parameter path: as the container `main` sees it.
    public func keptFile(namespace: String, pod name: String, uid: String, path: String) async -> KeptFile {
        await logs.kubelet.worker(for: ObjectKey(.pods, namespace: namespace, name: name), uid: uid).keptFile(path)
    }
}

/// Collects the last bytes of standard output out of a log's entries.
struct OutputEnd {
    private let limit: Int
    private var bytes: [UInt8] = []

    init(limit: Int) { self.limit = limit }

    mutating func add(_ entries: [UInt8]) {
        LogEntries.forEach(in: entries) { entry in
            if entry.isStandardError { return }
            bytes += entry.text
            if !entry.isPartial { bytes.append(UInt8(ascii: "\n")) }
        }
        if bytes.count > 2 * limit { bytes.removeFirst(bytes.count - limit) }
    }

    var text: String { String(decoding: bytes.suffix(limit), as: UTF8.self) }
}
