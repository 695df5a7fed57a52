import KubeModel
import Testing

@testable import LabCLI

@Suite struct TableTests {
    @Test func alignsColumnsAndLeavesNothingBehindTheLast() {
        let table = TextTable(header: ["NAME", "X"], rows: [["a", "1"], ["longer", ""]])
        #expect(table.lines() == ["NAME     X", "a        1", "longer"])
    }

    @Test func countsWideCharactersAsTwo() {
        #expect(DisplayWidth.of("数据") == 4)
        #expect(DisplayWidth.of("é") == 1)
        #expect(DisplayWidth.fit("abcdef", 4) == "abc…")
        #expect(DisplayWidth.fit("abc", 4) == "abc")
    }

    @Test func drawsTheServersTableAndHidesWideColumns() {
        let json: JSON = [
            "columnDefinitions": [
                ["name": "Name", "format": "name", "priority": 0], ["name": "Ready", "priority": 0], ["name": "IP", "priority": 1],
            ],
            "rows": [["cells": ["x", "1/1", .null], "object": ["metadata": ["namespace": "n"]]]],
        ]
        #expect(ServerTable(json: json).table() == TextTable(header: ["NAME", "READY"], rows: [["x", "1/1"]]))
        let wide = ServerTable(json: json, isWide: true, showsNamespace: true, prefix: "pod/").table()
        #expect(wide == TextTable(header: ["NAMESPACE", "NAME", "READY", "IP"], rows: [["n", "pod/x", "1/1", "<none>"]]))
    }

    @Test func cellsCannotMoveTheCursor() {
        let json: JSON = ["columnDefinitions": [["name": "Name", "priority": 0]], "rows": [["cells": ["a\u{1B}[2Jb\nc"]]]]
        #expect(ServerTable(json: json).table().rows == [["a [2Jb c"]])
    }

    @Test func printsJSONAsKubectlDoes() {
        #expect(
            PrettyJSON.text(["a": 1, "b": ["c", .null], "d": [:]])
                == "{\n    \"a\": 1,\n    \"b\": [\n        \"c\",\n        null\n    ],\n    \"d\": {}\n}")
    }

    @Test func sortsPodsByUse() {
        let lines = TopTable.lines([
            ["namespace": "n", "name": "idle", "cpuMillicores": 1, "memoryBytes": 1024],
            ["namespace": "n", "name": "busy", "cpuMillicores": 900, "memoryBytes": 1_610_612_736],
        ])
        #expect(lines[1].hasPrefix("n           busy") && lines[1].hasSuffix("1.5Gi"))
    }

    @Test func csvQuotesWhatNeedsIt() {
        let result = SQLResult(columns: ["a", "b"], rows: [[.text("x,\"y\""), .null], [.integer(3), .real(0.5)]])
        #expect(result.csv == "a,b\n\"x,\"\"y\"\"\",\n3,0.5\n")
        #expect(result.table.last == "(2 rows)")
    }
}
