import Testing

@testable import KubeModel

struct CronScheduleTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var schedule: String
        var after: String
        var next: String?
        var zone = TimeZoneRules.utc
        var testDescription: String { "\(schedule) after \(after)" }
    }

    static let berlin: TimeZoneRules = {
        // A version 2 file without transitions, whose footer says it all.
        let header: [UInt8] = Array("TZif2".utf8) + [UInt8](repeating: 0, count: 15)
        func counts(_ types: UInt8, _ characters: UInt8) -> [UInt8] {
            [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, types], [0, 0, 0, characters]].flatMap { $0 as [UInt8] }
        }
        let body: [UInt8] = [0, 0, 0x0E, 0x10, 0, 0] + Array("CET".utf8) + [0]
        let part = header + counts(1, 4) + body
        let footer: [UInt8] = Array("\nCET-1CEST,M3.5.0,M10.5.0/3\n".utf8)
        return TimeZoneRules(tzif: part + part + footer) ?? .utc
    }()

    static let cases: [Case] = [
        Case(schedule: "* * * * *", after: "2024-01-01T00:00:00Z", next: "2024-01-01T00:01:00Z"),
        Case(schedule: "* * * * *", after: "2024-01-01T00:00:59Z", next: "2024-01-01T00:01:00Z"),
        Case(schedule: "0/15 * * * *", after: "2024-01-01T00:16:00Z", next: "2024-01-01T00:30:00Z"),
        Case(schedule: "20-35/15 * * * *", after: "2024-01-01T00:21:00Z", next: "2024-01-01T00:35:00Z"),
        Case(schedule: "@hourly", after: "2024-02-28T23:00:00Z", next: "2024-02-29T00:00:00Z"),
        Case(schedule: "@daily", after: "2023-12-31T10:00:00Z", next: "2024-01-01T00:00:00Z"),
        Case(schedule: "@weekly", after: "2024-01-01T00:00:00Z", next: "2024-01-07T00:00:00Z"),
        Case(schedule: "@monthly", after: "2024-01-01T00:00:00Z", next: "2024-02-01T00:00:00Z"),
        Case(schedule: "@yearly", after: "2024-01-01T00:00:00Z", next: "2025-01-01T00:00:00Z"),
        Case(schedule: "@every 1h30m", after: "2024-01-01T00:00:10Z", next: "2024-01-01T01:30:10Z"),
        Case(schedule: "0 0 29 feb *", after: "2024-03-01T00:00:00Z", next: "2028-02-29T00:00:00Z"),
        Case(schedule: "0 0 30 2 *", after: "2024-01-01T00:00:00Z", next: nil),
        Case(schedule: "30 8 * * MON-FRI", after: "2024-01-05T09:00:00Z", next: "2024-01-08T08:30:00Z"),
        Case(schedule: "0 0 13 * 5", after: "2024-09-07T00:00:00Z", next: "2024-09-13T00:00:00Z"),
        // Both days given: either will do.
        Case(schedule: "0 0 1 * 1", after: "2024-01-02T00:00:00Z", next: "2024-01-08T00:00:00Z"),
        Case(schedule: "0 0 ? * 3", after: "2024-01-01T00:00:00Z", next: "2024-01-03T00:00:00Z"),
        Case(schedule: "0 9 * * *", after: "2024-01-01T00:00:00Z", next: "2024-01-01T08:00:00Z", zone: berlin),
        Case(schedule: "0 9 * * *", after: "2024-07-01T00:00:00Z", next: "2024-07-01T07:00:00Z", zone: berlin),
        // 02:30 does not exist on the last Sunday of March, and comes twice on the last of October.
        Case(schedule: "30 2 * * *", after: "2024-03-30T02:00:00Z", next: "2024-04-01T00:30:00Z", zone: berlin),
        Case(schedule: "30 2 * * *", after: "2024-10-26T12:00:00Z", next: "2024-10-27T00:30:00Z", zone: berlin),
        Case(schedule: "30 2 * * *", after: "2024-10-27T00:30:00Z", next: "2024-10-27T01:30:00Z", zone: berlin),
        Case(schedule: "0 0 * * *", after: "2024-03-31T12:00:00Z", next: "2024-03-31T22:00:00Z", zone: berlin),
    ]

    @Test(arguments: cases) func finds(_ example: Case) throws {
        let schedule = try CronSchedule(parsing: example.schedule)
        let after = try #require(Timestamp(parsing: example.after))
        #expect(schedule.next(after: after, in: example.zone)?.description == example.next)
    }

    @Test(arguments: [
        ("", "empty spec string"), ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"), ("* 24 * * *", "end of range (24) above maximum (23): 24"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"), ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("*/0 * * * *", "step of range should be a positive number: */0"), ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"), ("a * * * *", "failed to parse int from a: strconv.Atoi: parsing \"a\": invalid syntax"),
        ("@often", "unrecognized descriptor: @often"),
    ]) func refuses(_ text: String, _ problem: String) {
        #expect(throws: CronSchedule.Problem(description: problem)) { try CronSchedule(parsing: text) }
    }

    /// Against the plain definition, minute by minute.
    @Test func agreesWithTheDefinition() throws {
        for text in ["*/7 3-5 * * *", "0 12 */3 * *", "15 */6 1-7 * 1", "59 23 * 12 *"] {
            let schedule = try CronSchedule(parsing: text)
            var time = Timestamp(seconds: 1_709_000_000 / 60 * 60)
            for _ in 0..<20 {
                guard let next = schedule.next(after: time, in: Self.berlin) else { break }
                let between = stride(from: time.seconds + 60, to: next.seconds, by: 60)
                let single = try CronSchedule(parsing: text)
                #expect(between.allSatisfy { single.next(after: Timestamp(seconds: $0 - 60), in: Self.berlin) == next })
                time = next
            }
        }
    }

    @Test func readsOffsetsOfZones() throws {
        let rules = Self.berlin
        #expect(rules.offset(at: 1_704_067_200) == 3600 && rules.offset(at: 1_719_792_000) == 7200)
        // The very seconds of the changes.
        #expect(rules.offset(at: 1_711_846_799) == 3600 && rules.offset(at: 1_711_846_800) == 7200)
        #expect(rules.offset(at: 1_729_990_799) == 7200 && rules.offset(at: 1_729_990_800) == 3600)
        #expect(TimeZoneRules(tzif: Array("TZif2".utf8)) == nil && TimeZoneRules(tzif: []) == nil)
    }
}

struct IntOrPercentTests {
    @Test func resolves() {
        #expect(IntOrPercent.value("25%", of: 10, roundingUp: true) == 3)
        #expect(IntOrPercent.value("25%", of: 10, roundingUp: false) == 2)
        #expect(IntOrPercent.value(4, of: 10, roundingUp: false) == 4)
        #expect(IntOrPercent.value("abc", of: 10, roundingUp: false) == nil && IntOrPercent.value("%", of: 10, roundingUp: false) == nil)
        #expect(IntOrPercent.problems("101%", field: "f", isShare: true).first?.message == "Invalid value: \"101%\": must not be greater than 100%")
        #expect(IntOrPercent.problems(-1, field: "f").count == 1 && IntOrPercent.problems("x", field: "f").count == 1)
    }
}
