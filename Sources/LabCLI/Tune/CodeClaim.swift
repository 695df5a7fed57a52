import Crypto
import KubeModel

/// Code that no ConfigMap has room for: it lies in a claim, which a Job fills from pieces before the first trial.
struct CodeClaim: Sendable {
    /// Of one piece; a ConfigMap holds 1 MiB.
    private static let pieceBytes = 1_000_000
    /// On the claim: what it holds, so that trials can be told apart by their code.
    private static let digestAnnotation = "kindling.dev/code-digest"

    let claim: JSON
    /// The pieces and the Job, which are of no use once it is complete.
    let preparation: [JSON]

    /// - Parameters:
    ///   - name: of the claim and the Job.
    ///   - image: what trials run in; it has Python.
    init(_ code: ScriptFiles, name: String, image: String) throws(CommandError) {
        let archive = try TarArchive.bytes(code.files)
        let digest = SHA256.hash(data: archive).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        // Room for the file system's own blocks.
        let mebibytes = max(16, archive.count * 2 >> 20)
        claim = [
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": ["name": .string(name), "annotations": [Self.digestAnnotation: .string(digest)]],
            "spec": ["accessModes": ["ReadWriteMany"], "resources": ["requests": ["storage": .string("\(mebibytes)Mi")]]],
        ]
        var pieces: [JSON] = []
        for start in stride(from: 0, to: archive.count, by: Self.pieceBytes) {
            let number = String(pieces.count + 1000)
            let bytes = archive[start..<min(start + Self.pieceBytes, archive.count)]
            pieces.append([
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": .string("\(name)-\(number)")],
                "binaryData": [number: .string(Base64.encode(bytes))],
            ])
        }
        preparation = pieces + [Self.job(name, image, pieces)]
    }

    private static func job(_ name: String, _ image: String, _ pieces: [JSON]) -> JSON {
        let program = """
            import glob, io, tarfile
            data = b"".join(open(piece, "rb").read() for piece in sorted(glob.glob("/pieces/[0-9]*")))
            tarfile.open(fileobj=io.BytesIO(data)).extractall("\(TunePlan.directory)")
            """
        return [
            "apiVersion": "batch/v1", "kind": "Job", "metadata": ["name": .string(name)],
            "spec": [
                "backoffLimit": 0,
                "template": [
                    "spec": [
                        "restartPolicy": "Never",
                        "containers": [
                            [
                                "name": "unpack", "image": .string(image), "command": ["python3", "-c", .string(program)],
                                "volumeMounts": [["name": "code", "mountPath": .string(TunePlan.directory)], ["name": "pieces", "mountPath": "/pieces"]],
                            ]
                        ],
                        "volumes": [
                            ["name": "code", "persistentVolumeClaim": ["claimName": .string(name)]],
                            [
                                "name": "pieces",
                                "projected": ["sources": .array(pieces.map { ["configMap": ["name": $0["metadata"]["name"]]] })],
                            ],
                        ],
                    ]
                ],
            ],
        ]
    }
}
