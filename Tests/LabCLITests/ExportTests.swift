import KubeModel
import Testing

@testable import LabCLI

@Suite struct ExportTests {
    private func check(local: Set<String> = [], modes: [String]? = nil) -> ExportCheck {
        ExportCheck(isLocalImage: local.contains, claimModes: { _, _ in modes })
    }

    private func experiment(command: [JSON], parallel: Int = 3, volumes: JSON = []) -> JSON {
        [
            "kind": "Experiment", "metadata": ["name": "e"],
            "spec": [
                "parallelTrialCount": JSON(parallel),
                "trialTemplate": [
                    "primaryContainerName": "main",
                    "trialSpec": [
                        "spec": [
                            "template": [
                                "spec": [
                                    "containers": [["name": "main", "image": "mine:1", "command": .array(command)]], "volumes": volumes,
                                ]
                            ]
                        ]
                    ],
                ],
            ],
        ]
    }

    @Test func warnsOfImagesThatAreOnlyHere() {
        let warnings = check(local: ["mine:1"]).warnings([experiment(command: ["true"])])
        #expect(warnings.count == 1 && warnings[0].contains("mine:1"))
        #expect(check().warnings([experiment(command: ["true"])]) == [])
    }

    @Test func warnsOfArgumentsThatAShellSplits() {
        let warnings = check().warnings([experiment(command: ["python3", "-c", "print(1 + 2)"])])
        #expect(warnings.count == 1 && warnings[0].contains("print(1 + 2)"))
        #expect(check().warnings([experiment(command: ["sh", "-c", "echo a; echo b"])]) == [])
        #expect(check().warnings([experiment(command: ["python3", "--lr=${trialParameters.learningRate}", "--x=1,2"])]) == [])
        #expect(ExportCheck.isResplit("a${trialParameters.b} c") && ExportCheck.isResplit("$HOME") && !ExportCheck.isResplit("a=b/c:d"))
    }

    @Test func warnsOfAClaimThatParallelTrialsShare() {
        let volumes: JSON = [["name": "v", "persistentVolumeClaim": ["claimName": "data"]]]
        let object = experiment(command: ["true"], volumes: volumes)
        #expect(check(modes: ["ReadWriteOnce"]).warnings([object]).contains { $0.contains("3 trials at a time share the claim data") })
        #expect(!check(modes: ["ReadWriteMany"]).warnings([object]).contains { $0.contains("share") })
        let alone = experiment(command: ["true"], parallel: 1, volumes: volumes)
        #expect(!check(modes: ["ReadWriteOnce"]).warnings([alone]).contains { $0.contains("share") })
    }

    @Test func warnsOfWhatTheExportDoesNotContain() {
        let pod: JSON = [
            "kind": "Pod", "metadata": ["name": "p", "namespace": "team"],
            "spec": [
                "containers": [
                    [
                        "name": "c", "image": "x",
                        "envFrom": [["secretRef": ["name": "s"]], ["configMapRef": ["name": "m", "optional": true]]],
                    ]
                ]
            ],
        ]
        let claim: JSON = ["kind": "PersistentVolumeClaim", "metadata": ["name": "c"], "spec": ["storageClassName": "fast"]]
        let warnings = check().warnings([pod, claim])
        #expect(warnings.count == 3)
        let whole: [JSON] = [
            ["kind": "Namespace", "metadata": ["name": "team"]], ["kind": "Secret", "metadata": ["name": "s"]],
            ["kind": "StorageClass", "metadata": ["name": "fast"]], pod, claim,
        ]
        #expect(check().warnings(whole) == [])
    }

    @Test func namesOfColumnsDoNotCollide() {
        let columns = TrialPivot.columns(base: ["name", "status"], parameters: ["lr", "Name"], metrics: ["lr", "LR", "acc"])
        #expect(columns == ["lr", "parameter_Name", "metric_lr", "metric_metric_LR", "acc"])
        #expect(Set(columns.map { $0.lowercased() }).count == columns.count)
        #expect(TrialPivot.quoted("a\"b") == "\"a\"\"b\"")
        #expect(SQLWords.mention("trials", in: "select * from TRIALS") && !SQLWords.mention("trials", in: "select * from trials_base"))
    }
}
