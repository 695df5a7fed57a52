import Foundation
import Testing

@testable import Katib

/// Files that the real writers wrote: tensorboardX 2.6 (as torch's SummaryWriter, `simple_value`, with a histogram among them)
/// and tensorboard 2.21's EventFileWriter (tensors, as packed values and as raw content).
@Suite struct EventFileTests {
    private static let simple = """
        GAAAAAAAAACjf0siCd3vllbJwdpBGg1icmFpbi5FdmVudDoybXnjfRgAAAAAAAAAo39LIgkAAABA/FTZQSoNCgsKBGxvc3MVAAAAP4+aY6QcAAAAAAAAAMjB\
        lR0JAAAgQPxU2UEqEQoPCghhY2N1cmFjeRUAAAA/smzeghoAAAAAAAAAEpvYLQkAAEBA/FTZQRABKg0KCwoEbG9zcxUAAIA+x+OINB4AAAAAAAAA2dwSMgkA\
        AGBA/FTZQRABKhEKDwoIYWNjdXJhY3kVAABAP566J0YaAAAAAAAAABKb2C0JAACAQPxU2UEQAioNCgsKBGxvc3MVAAAAPl9FgWIeAAAAAAAAANncEjIJAACg\
        QPxU2UEQAioRCg8KCGFjY3VyYWN5FQAAYD+uJeFLJgEAAAAAAAB1n3OqCXL9l1bJwdpBKpoCCpcCCgFoKpECCQAAAAAAAPA/EQAAAAAAAAhAGQAAAAAAAAhA\
        IQAAAAAAABhAKQAAAAAAACxAMnAImWkZFVrtPysU+s2+JPA/Y0nGFQXC8T+6UI0xn4jzPzM/6ByvfPU/hUXMn8Ci9z95TPri0//5P1OHRhNpmfw/3JTNLo11\
        /z/gEfEMdE0BQHdgPA5mCANA6jYPdqPvBEBovBA1mgcHQA2cxaApVQlAOnAAAAAAAAAAAAAAAAAAAPA/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\
        AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADwPwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAPA/9D7Krw==
        """
    private static let tensors = """
        SAAAAAAAAAD+kkidCTXNvVfJwdpBGg1icmFpbi5FdmVudDoyUi4KLHRlbnNvcmJvYXJkLnN1bW1hcnkud3JpdGVyLmV2ZW50X2ZpbGVfd3JpdGVyeoz6oiwA\
        AAAAAAAA9K7MRQkAAABA/FTZQSohCh8KBGxvc3NCCggBEgAqBAAAAD9KCwoJCgdzY2FsYXJz7u1lriEAAAAAAAAAAXvs9gkAAABA/FTZQSoWChQKCGFjY3Vy\
        YWN5QggIASIEAAAAP7f9gsEuAAAAAAAAAMXLV/oJAABAQPxU2UEQASohCh8KBGxvc3NCCggBEgAqBAAAgD5KCwoJCgdzY2FsYXJz/lIyhSMAAAAAAAAAsJ93\
        QwkAAEBA/FTZQRABKhYKFAoIYWNjdXJhY3lCCAgBIgQAAEA/sixxyQ==
        """

    private func bytes(_ text: String) throws -> [UInt8] { Array(try #require(Data(base64Encoded: text))) }

    @Test func readsSimpleValuesOfSummaryWriters() throws {
        let scalars = EventFile.scalars(in: try bytes(Self.simple))
        #expect(scalars.filter { $0.tag == "loss" }.map(\.text) == ["0.5", "0.25", "0.125"])
        #expect(scalars.filter { $0.tag == "accuracy" }.map(\.text) == ["0.5", "0.75", "0.875"])
        #expect(scalars.first?.wallTime == 1_700_000_000)
        #expect(scalars.count == 6, "a histogram is no scalar")
    }

    @Test func readsTensorsOfTensorBoard() throws {
        let scalars = EventFile.scalars(in: try bytes(Self.tensors))
        #expect(scalars.map { "\($0.tag)=\($0.text)" } == ["loss=0.5", "accuracy=0.5", "loss=0.25", "accuracy=0.75"])
    }

    @Test func whatIsCutOrDamagedGivesWhatIsBeforeIt() throws {
        let whole = try bytes(Self.simple)
        for length in 0..<whole.count { #expect(EventFile.scalars(in: Array(whole[..<length])).count <= 6) }
        var broken = whole
        broken[40] ^= 0xFF
        #expect(EventFile.scalars(in: broken).isEmpty)
        #expect(EventFile.scalars(in: Array(repeating: 0xFF, count: 4096)).isEmpty)
    }

    @Test func aDirectoryInTheNameTellsTrainAndTestApart() {
        #expect(EventFile.isMetric("train/loss", tag: "loss", file: "/logs/train/events.1"))
        #expect(!EventFile.isMetric("train/loss", tag: "loss", file: "/logs/test/events.1"))
        #expect(EventFile.isMetric("loss", tag: "loss_1", file: "/logs/test/events.1"))
        #expect(!EventFile.isMetric("loss", tag: "val_loss", file: "/logs/test/events.1"))
    }
}
