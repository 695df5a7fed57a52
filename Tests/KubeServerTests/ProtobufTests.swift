import Testing

@testable import KubeModel
@testable import KubeServer

@Suite struct ProtobufTests {
    /// Wraps a message as client-go does.
    private func envelope(_ apiVersion: String, _ kind: String, _ body: (inout ProtobufWriter) -> Void) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.message(1) { type in
            type.string(1, apiVersion)
            type.string(2, kind)
        }
        writer.message(2, body)
        return [0x6b, 0x38, 0x73, 0x00] + writer.bytes
    }

    @Test func readsAJobAsKubectlSendsIt() throws {
        let bytes = envelope("batch/v1", "Job") { job in
            job.message(1) { metadata in
                metadata.string(1, "hello")
                metadata.message(8) { _ in }
                for (key, value) in [("a", "b"), ("c", "")] {
                    metadata.message(11) { entry in
                        entry.string(1, key)
                        entry.string(2, value)
                    }
                }
            }
            job.message(2) { spec in
                spec.integer(7, 4)
                spec.message(6) { template in
                    template.message(2) { pod in
                        pod.message(2) { container in
                            container.string(1, "main")
                            container.string(3, "echo")
                            container.string(3, "hi")
                            container.message(8) { resources in
                                resources.message(1) { entry in
                                    entry.string(1, "memory")
                                    entry.message(2) { $0.string(1, "1Gi") }
                                }
                            }
                            container.message(10) { probe in
                                probe.message(1) { handler in
                                    handler.message(2) { get in
                                        get.message(2) { port in
                                            port.integer(1, 1)
                                            port.string(3, "http")
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            job.message(3) { _ in }
        }
        let container: JSON = [
            "name": "main", "command": ["echo", "hi"], "resources": ["limits": ["memory": "1Gi"]], "livenessProbe": ["httpGet": ["port": "http"]],
        ]
        #expect(
            try ProtobufObject.decode(bytes) == [
                "apiVersion": "batch/v1", "kind": "Job", "metadata": ["name": "hello", "labels": ["a": "b", "c": ""]],
                "spec": ["backoffLimit": 4, "template": ["spec": ["containers": [container]]]],
            ])
    }

    @Test func refusesWhatItDoesNotKnow() {
        let unknown = envelope("stable.example.com/v1", "CronTab") { _ in }
        #expect { try ProtobufObject.decode(unknown) } throws: { ($0 as? APIStatus)?.code == 415 }
        #expect { try ProtobufObject.decode(Array("{}".utf8)) } throws: { ($0 as? APIStatus)?.code == 400 }
        #expect { try ProtobufObject.decode([0x6b, 0x38, 0x73, 0x00, 0x0a, 0xff, 0xff, 0xff]) } throws: { ($0 as? APIStatus)?.code == 400 }
    }

    @Test func everyMessageThatIsNamedIsThere() {
        for line in MessageTable.text.split(separator: "\n") {
            let name = String(line.prefix { $0 != " " })
            guard let message = MessageDescription(name) else {
                Issue.record("\(name) cannot be read")
                continue
            }
            for field in message.fields.values {
                switch field.type {
                case .message(let other), .listMessage(let other): #expect(MessageDescription(other) != nil, "\(name) names \(other)")
                default: break
                }
            }
        }
    }
}
