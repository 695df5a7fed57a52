import CFaultyDisk
import Foundation
import KubeModel
import Testing

@testable import Catalogue

private let pairs = GroupResource("pairs", group: "test.dev")
private func key(_ number: Int, _ half: String) -> ObjectKey { ObjectKey(pairs, namespace: "default", name: "n\(number)-\(half)") }

/// A write of two objects that belong together; `filler` makes it span pages.
private func write(_ catalogue: Catalogue, _ number: Int, round: Int, filler: Int = 3000) async throws {
    _ = try await catalogue.write { transaction in
        for half in ["left", "right"] {
            let value: JSON = ["metadata": ["name": .string("n\(number)-\(half)"), "uid": .string("\(number)-\(half)")], "round": JSON(round),
                               "filler": .string(String(repeating: "x", count: filler))]
            transaction.put(key(number, half), value, intent: ["round": JSON(round)])
        }
    }
}

/// The rounds of the pairs that a catalogue holds.
/// - Throws: where one half is there without the other, or of another round.
private func rounds(_ catalogue: Catalogue) throws -> [Int: Int] {
    var found: [Int: Int] = [:]
    for object in catalogue.list(pairs).objects where object.name.hasSuffix("-left") {
        let number = try #require(Int(object.name.dropFirst().dropLast("-left".count)))
        let round = try #require(object.value["round"].intValue)
        #expect(catalogue.get(key(number, "right"))?.value["round"].intValue == round, "pair \(number) is torn")
        #expect(object.intent?["round"].intValue == round)
        found[number] = round
    }
    #expect(found.count * 2 == catalogue.list(pairs).objects.count)
    return found
}

/// A directory whose files the faulty disk watches.
private final class Disk {
    let directory: String
    init() throws {
        faulty_disk_install()
        faulty_disk_heal()
        directory = NSTemporaryDirectory() + "faulty-disk-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }
    var path: String { directory + "/catalogue.sqlite" }
    deinit {
        faulty_disk_heal()
        try? FileManager.default.removeItem(atPath: directory)
    }
}

@Suite(.serialized) struct DiskFaultTests {
    static let faults = [FAULTY_DISK_FULL, FAULTY_DISK_WRITE_ERROR, FAULTY_DISK_SHORT_WRITE, FAULTY_DISK_SYNC_ERROR]
    static let isFull = ProcessInfo.processInfo.environment["KINDLING_TEST_FULL"] != nil

    /// Each fault at each of many places: what was acknowledged is there, the rest is there whole or not at all, reads go
    /// on meanwhile, and the next write goes well.
    @Test(arguments: faults)
    func aFaultIsAnErrorOfItsWriteOnly(_ fault: faulty_disk_fault) async throws {
        var (refused, hits) = (0, 0)
        for after in stride(from: 0, to: Self.isFull ? 120 : 40, by: Self.isFull ? 1 : 3) {
            let disk = try Disk()
            var catalogue = try Catalogue(path: disk.path)
            var acknowledged: [Int: Int] = [:]
            for number in 0..<4 { try await write(catalogue, number, round: 0); acknowledged[number] = 0 }
            faulty_disk_plan(fault, Int32(after), 1)
            var tried: [Int: Int] = [:]
            for round in 1...12 {
                let number = round % 4
                do {
                    try await write(catalogue, number, round: round)
                    acknowledged[number] = round
                    tried[number] = nil
                } catch {
                    refused += 1
                    tried[number] = round
                    #expect(error is CatalogueError)
                    if fault == FAULTY_DISK_FULL, case .full = error as? CatalogueError {} else if fault == FAULTY_DISK_FULL { Issue.record("\(error) is no `full`") }
                }
                #expect(try rounds(catalogue) == acknowledged, "reads show what was acknowledged")
            }
            #expect(try rounds(catalogue) == acknowledged)
            hits += Int(faulty_disk_hits())
            faulty_disk_plan(fault, 0, 0)
            try? catalogue.close()
            catalogue = try Catalogue(path: disk.path)
            for (number, round) in try rounds(catalogue) {
                #expect(round == acknowledged[number] || round == tried[number], "fault \(fault.rawValue) after \(after)")
            }
            try await write(catalogue, 9, round: 99)
            try catalogue.close()
        }
        #expect(hits > 3, "the plan has hit writes")
        // A disk that is full for a moment is met with the reserve: no write is refused for it.
        if fault == FAULTY_DISK_FULL { #expect(refused == 0) } else { #expect(refused > 3) }
    }

    /// A disk that stays full for many writes: each is refused, reads go on, and when there is room again writes go well
    /// without anybody's doing.
    @Test(arguments: [FAULTY_DISK_FULL, FAULTY_DISK_SYNC_ERROR])
    func aFaultThatLastsIsRecoveredFrom(_ fault: faulty_disk_fault) async throws {
        let disk = try Disk()
        let catalogue = try Catalogue(path: disk.path)
        for number in 0..<4 { try await write(catalogue, number, round: 0) }
        faulty_disk_plan(fault, 0, 1_000_000)
        for number in 0..<20 { await #expect(throws: CatalogueError.self) { try await write(catalogue, number, round: 1) } }
        #expect(try rounds(catalogue) == [0: 0, 1: 0, 2: 0, 3: 0])
        faulty_disk_heal()
        for number in 0..<4 { try await write(catalogue, number, round: 2) }
        try catalogue.close()
        #expect(try rounds(Catalogue(path: disk.path)) == [0: 2, 1: 2, 2: 2, 3: 2])
    }

    /// The power goes at any moment, and any part of what was not synced is lost, sector by sector.
    @Test func whatWasAcknowledgedSurvivesAPowerCut() async throws {
        let first = UInt32.random(in: 0 ..< .max / 2)
        for seed in first..<(first + (Self.isFull ? 150 : 12)) {
            let disk = try Disk()
            let catalogue = try Catalogue(path: disk.path)
            try await write(catalogue, 0, round: 0)
            faulty_disk_remember()
            let after = disk.directory + "/after"
            try FileManager.default.createDirectory(atPath: after, withIntermediateDirectories: true)
            let writers = (1...4).map { writer in
                Task { () -> (acknowledged: Int, tried: Int) in
                    var acknowledged = -1
                    for round in 0..<400 {
                        do { try await write(catalogue, writer, round: round) } catch { return (acknowledged, round) }
                        acknowledged = round
                    }
                    return (acknowledged, 400)
                }
            }
            try await Task.sleep(for: .milliseconds(Int(seed % 60)))  // the random moment is what is tested
            #expect(faulty_disk_cut(after, seed) == 2)
            var expected: [Int: (acknowledged: Int, tried: Int)] = [:]
            for (index, writer) in writers.enumerated() { expected[index + 1] = await writer.value }
            try? catalogue.close()
            faulty_disk_heal()
            let reopened = try Catalogue(path: after + "/catalogue.sqlite")
            let found = try rounds(reopened)
            #expect(found[0] == 0)
            for (writer, (acknowledged, tried)) in expected {
                let round = found[writer] ?? -1
                #expect(round >= acknowledged && round <= tried, "seed \(seed): writer \(writer) has \(round), was told \(acknowledged), tried \(tried)")
            }
            try await write(reopened, 7, round: 7)
            try reopened.close()
        }
    }

    /// The log cut off at any byte is an earlier state of the catalogue, whole.
    @Test func aLogCutAtAnyByteIsAnEarlierState() async throws {
        let disk = try Disk()
        let catalogue = try Catalogue(path: disk.path)
        for round in 0..<20 { try await write(catalogue, 0, round: round, filler: 500) }
        let log = try Data(contentsOf: URL(fileURLWithPath: disk.path + "-wal"))
        let main = try Data(contentsOf: URL(fileURLWithPath: disk.path))
        var seen: Set<Int> = []
        for cut in stride(from: 0, through: log.count, by: Self.isFull ? 397 : 7_919) {
            let copy = disk.directory + "/cut-\(cut)"
            try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
            try main.write(to: URL(fileURLWithPath: copy + "/catalogue.sqlite"))
            try log.prefix(cut).write(to: URL(fileURLWithPath: copy + "/catalogue.sqlite-wal"))
            let reopened = try Catalogue(path: copy + "/catalogue.sqlite")
            seen.insert(try rounds(reopened)[0] ?? -1)
            try reopened.close()
            try FileManager.default.removeItem(atPath: copy)
        }
        #expect(seen.count > 3, "several states were seen: \(seen.sorted())")
        try catalogue.close()
    }
}
