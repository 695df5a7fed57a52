import KubeModel
import Testing

@testable import LabCLI

@Suite struct ArgumentTests {
    @Test func stateMayStandAnywhereButBehindTheDashes() throws {
        let before = try HoistedArguments(["--state", "/a", "get", "pods"])
        #expect(before.state == "/a" && before.rest == ["get", "pods"])
        let behind = try HoistedArguments(["get", "--state=/b", "pods", "--", "--state", "/c"])
        #expect(behind.state == "/b" && behind.rest == ["get", "pods", "--", "--state", "/c"])
        #expect(throws: CommandError.self) { try HoistedArguments(["up", "--state"]) }
    }

    @Test func readsReferences() throws {
        #expect(
            try ObjectReference.parse(["pod/x", "job.batch/y"]) == [.init(kind: "pod", name: "x"), .init(kind: "job.batch", name: "y")])
        #expect(try ObjectReference.parse(["pod", "x", "y"]).map(\.name) == ["x", "y"])
        #expect(throws: CommandError.self) { try ObjectReference.parse(["pod"]) }
        #expect(throws: CommandError.self) { try ObjectReference.parse(["a/b/c"]) }
    }

    @Test func everyCommandHasAnExampleAndParses() throws {
        for command in LabCommand.configuration.subcommands + LabCommand.configuration.groupedSubcommands.flatMap(\.subcommands) {
            #expect(command.configuration.discussion.contains("Example:"), "\(command)")
        }
        #expect(try LabCommand.parseAsRoot(["apply", "-f", "a.yaml", "-n", "x"]) is ApplyCommand)
        #expect(try LabCommand.parseAsRoot(["image", "add", "x:1", "--alias", "y"]) is ImageCommand.Add)
        #expect(throws: (any Error).self) { try LabCommand.parseAsRoot(["up", "--port", "0"]) }
    }

    @Test func readsManifestsAndSaysWhere() throws {
        let manifests = try Manifest.parse(
            Array("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Pod\nmetadata: {generateName: b-}\n".utf8),
            name: "f")
        #expect(manifests.map(\.name) == ["a", nil] && manifests[1].generateName == "b-")
        #expect(throws: CommandError("f: expected the field kind, found none")) {
            try Manifest.parse(Array("apiVersion: v1\n".utf8), name: "f")
        }
        #expect(throws: CommandError.self) { try Manifest.parse(Array("a: [".utf8), name: "f") }
        let list = try Manifest.parse(Array("apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod}]\n".utf8), name: "f")
        #expect(list.map(\.kind) == ["Pod"])
    }

    @Test func findsKindsByTheirNames() throws {
        let catalog = ResourceCatalog(
            core: [
                "items": [
                    [
                        "metadata": [:],
                        "versions": [
                            [
                                "version": "v1",
                                "resources": [
                                    [
                                        "resource": "pods", "singularResource": "pod", "responseKind": ["kind": "Pod"],
                                        "scope": "Namespaced", "shortNames": ["po"],
                                    ]
                                ],
                            ]
                        ],
                    ]
                ]
            ],
            groups: [
                "items": [
                    [
                        "metadata": ["name": "batch"],
                        "versions": [
                            [
                                "version": "v1",
                                "resources": [
                                    ["resource": "jobs", "singularResource": "job", "responseKind": ["kind": "Job"], "scope": "Namespaced"]
                                ],
                            ]
                        ],
                    ]
                ]
            ])
        for word in ["po", "pod", "Pod", "PODS"] {
            #expect(try catalog.find(word).path(namespace: "a b", name: "x") == "/api/v1/namespaces/a%20b/pods/x")
        }
        for word in ["job", "jobs.batch", "jobs.v1.batch"] { #expect(try catalog.find(word).displayName == "job.batch") }
        #expect(throws: CommandError.self) { try catalog.find("nothing") }
    }

    @Test func choosesTheKubeconfigThatKubectlWouldWrite() throws {
        #expect(try KubeconfigCommand.target(["HOME": "/h"]) == "/h/.kube/config")
        #expect(try KubeconfigCommand.target(["HOME": "/h", "KUBECONFIG": "/no/a:/no/b"]) == "/no/b")
        #expect(throws: CommandError.self) { try KubeconfigCommand.target([:]) }
    }

    @Test func buildsTheAddressOfANotebook() {
        let notebook: JSON = ["metadata": ["name": "nb", "namespace": "ns", "annotations": ["kindling.dev/port": "4321"]]]
        let address = NotebookAddress(notebook: notebook, secret: ["data": ["token": .string(Base64.encode("a+b"))]])
        #expect(address?.url == "http://127.0.0.1:4321/notebook/ns/nb/lab?token=a%2Bb")
        #expect(NotebookAddress(notebook: ["metadata": [:]], secret: .null) == nil)
    }
}
