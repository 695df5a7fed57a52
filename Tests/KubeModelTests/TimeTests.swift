import KubeModel
import Testing

@Suite struct TimeTests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z"), (951_782_400, "2000-02-29T00:00:00Z"), (1_136_214_245, "2006-01-02T15:04:05Z"), (-1, "1969-12-31T23:59:59Z"),
        (4_102_444_799, "2099-12-31T23:59:59Z"), (-62_135_596_800, "0001-01-01T00:00:00Z"), (253_402_300_799, "9999-12-31T23:59:59Z"),
    ] as [(Int64, String)])
    func writesAndReads(_ seconds: Int64, _ text: String) {
        #expect(Timestamp(seconds: seconds).description == text)
        #expect(Timestamp(parsing: text) == Timestamp(seconds: seconds))
    }

    @Test func everyDayComesBack() {
        var day: Int64 = -719_162
        while day < 2_932_896 {
            let time = Timestamp(seconds: day * 86_400 + 3661)
            #expect(Timestamp(parsing: time.description) == time)
            day += 101
        }
    }

    @Test func readsFractionsAndZones() {
        #expect(Timestamp(parsing: "2024-05-06T07:08:09.5+02:00") == Timestamp(seconds: 1_714_972_089, nanoseconds: 500_000_000))
        #expect(Timestamp(parsing: "2024-05-06T07:08:09.123456789Z")?.nanoseconds == 123_456_789)
        #expect(Timestamp(seconds: 0, nanoseconds: 1_234_000).micro == "1970-01-01T00:00:00.001234Z")
        #expect(Timestamp(seconds: 0, nanoseconds: 120_000_000).nano == "1970-01-01T00:00:00.12Z")
    }

    @Test(arguments: [
        "", "2024-01-01", "2024-13-01T00:00:00Z", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:00", "2024-01-01T00:00:00z ", "2024-01-01 00:00:00Z", "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00+1:00", "x024-01-01T00:00:00Z",
        "2024-01-01T00:00:00+24:00", "2024-01-01T00:00:00ZZ",
    ])
    func refusesWhatIsNoTime(_ text: String) { #expect(Timestamp(parsing: text) == nil) }

    @Test func calculates() {
        let start = Timestamp(seconds: 10, nanoseconds: 900_000_000)
        #expect(start + .milliseconds(200) == Timestamp(seconds: 11, nanoseconds: 100_000_000))
        #expect(start - .seconds(1) == Timestamp(seconds: 9, nanoseconds: 900_000_000))
        #expect(Timestamp(seconds: 11) - start == .milliseconds(100))
        #expect(TimeSource.fixed(start).now == start)
        #expect(Timestamp(1.5) == Timestamp(seconds: 1, nanoseconds: 500_000_000))
    }

    // apimachinery/pkg/util/duration, TestHumanDuration.
    @Test(arguments: [
        (1, "1s"), (70, "70s"), (119, "119s"), (120, "2m"), (190, "3m10s"), (600, "10m"), (70 * 60, "70m"), (179 * 60 + 59, "179m"), (180 * 60, "3h"),
        (185 * 60, "3h5m"), (7 * 3600 + 59 * 60, "7h59m"), (8 * 3600, "8h"), (47 * 3600, "47h"), (49 * 3600, "2d1h"), (48 * 3600, "2d"), (191 * 3600, "7d23h"),
        (192 * 3600, "8d"), (365 * 86_400, "365d"), (2 * 365 * 86_400, "2y"), (400 * 86_400 * 2, "2y70d"), (9 * 365 * 86_400, "9y"), (-1, "0s"), (-10, "<invalid>"), (0, "0s"),
    ])
    func printsAges(_ seconds: Int, _ text: String) {
        #expect(HumanDuration.text(.seconds(seconds)) == text)
    }

    @Test func unknownAgesAreSaid() {
        #expect(HumanDuration.age(since: JSON.null, now: Timestamp(seconds: 5)) == "<unknown>")
        #expect(HumanDuration.age(since: "1970-01-01T00:00:00Z", now: Timestamp(seconds: 303)) == "5m3s")
    }

    @Test(arguments: [
        ("0", 0), ("5s", 5_000_000_000), ("30s", 30_000_000_000), ("1h30m", 5_400_000_000_000), ("300ms", 300_000_000), ("-1.5s", -1_500_000_000), ("1.5h", 5_400_000_000_000),
        ("1us", 1000), ("1µs", 1000), ("2ns", 2), (".5s", 500_000_000), ("1.s", 1_000_000_000), ("+5m", 300_000_000_000),
    ] as [(String, Int64)])
    func readsGoDurations(_ text: String, _ nanoseconds: Int64) { #expect(GoDuration.parse(text) == .nanoseconds(nanoseconds)) }

    @Test(arguments: ["", "1", "s", ".s", "1d", "1h-5m", "-", "3000000h", "1e3s", "1 s"])
    func refusesWhatIsNoDuration(_ text: String) { #expect(GoDuration.parse(text) == nil) }

    @Test(arguments: [
        (Duration.zero, "0s"), (.milliseconds(300), "300ms"), (.seconds(5400), "1h30m0s"), (.milliseconds(1500), "1.5s"), (.seconds(60), "1m0s"), (.nanoseconds(1500), "1.5µs"),
        (.nanoseconds(7), "7ns"), (.milliseconds(-1500), "-1.5s"),
    ])
    func printsGoDurations(_ duration: Duration, _ text: String) { #expect(GoDuration.text(duration) == text) }
}

@Suite struct Base64Tests {
    // RFC 4648, section 10.
    @Test(arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy")])
    func encodesAndDecodes(_ text: String, _ encoded: String) {
        #expect(Base64.encode(text) == encoded)
        #expect(Base64.decode(encoded) == Array(text.utf8))
    }

    @Test func anyBytesComeBack() {
        var generator = SeededGenerator()
        for count in 0..<200 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes, "seed \(generator.seed)")
        }
    }

    @Test(arguments: [("Zg", 2), ("Z", 1), ("Zg=", 3), ("Zg==x", 4), ("Z!==", 1), ("=", 0), ("Zm9v=", 4), ("Zg===", 4)])
    func saysWhereItIsWrong(_ text: String, _ offset: Int) {
        #expect(Base64.decode(text) == nil)
        #expect(Base64.firstError(in: text) == offset)
    }

    @Test func skipsLineBreaks() { #expect(Base64.decode("Zm9v\r\nYmFy\n") == Array("foobar".utf8)) }
}
