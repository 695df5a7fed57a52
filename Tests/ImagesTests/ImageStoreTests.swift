import Foundation
import Testing

@testable import Images

@Suite struct ImageStoreTests {
    @Test func shippedFilesAreValidAndAnswerTheSeedsNames() throws {
        let scratch = try Scratch()
        let store = scratch.shipped
        #expect(store.problems().isEmpty)
        for name in ["trainer", "python", "jupyter", "suggestion"] { try scratch.pretendBuilt(store, name) }
        for entry in store.list() { #expect(entry.problem == nil, "\(entry.image)") }

        let trainer = try store.resolve("docker.io/kubeflowkatib/mxnet-mnist:v1beta1-45c5727")
        #expect(trainer.name == "mxnet-mnist")
        #expect(trainer.lowerDirectories.count == 3)
        #expect(FileManager.default.isReadableFile(atPath: "\(trainer.lowerDirectories[0])/opt/mxnet-mnist/mnist.py"))
        #expect(trainer.variable("PATH")?.hasPrefix("/var/lib/kindling/python/trainer/bin:/usr/local/sbin:") == true)
        #expect(trainer.mounts.first == EnvironmentMount(kind: .bind, source: "/usr", target: "/usr"))
        #expect(trainer.arguments(command: [], args: ["--lr=1"]) == ["python3", "/opt/mxnet-mnist/mnist.py", "--lr=1"])
        #expect(trainer.arguments(command: ["sh"], args: []) == ["sh"])
        #expect(trainer.warnings.isEmpty)

        let service = try store.resolve("docker.io/kubeflowkatib/suggestion-optuna")
        #expect(service.arguments(command: [], args: ["tpe"]) == ["python3", "/opt/katib-suggestion/service.py", "tpe"])
        #expect(try store.resolve("ghcr.io/kubeflow/katib/pytorch-mnist-cpu:latest").warnings.count == 1)

        let others = ["busybox", "alpine:3.7", "debian:12", "bash", "python:3.11", "ubuntu:24.04"]
        for image in others + ["kubeflownotebookswg/jupyter-scipy:v1.8.0"] {
            #expect(try store.resolve(image).warnings.isEmpty)
        }
        #expect(try store.resolve("busybox").arguments(command: [], args: []) == ["/bin/sh"])
        #expect(try store.resolve("jupyter/tensorflow-notebook").warnings.count == 1)
        let path = try store.resolve("jupyter/scipy-notebook").variable("PATH")
        #expect(path?.hasPrefix("/opt/jupyter/bin:/var/lib/kindling/python/jupyter/bin:") == true)
    }

    @Test func anotherPythonThanTheTagsGivesOneWarning() throws {
        let scratch = try Scratch()
        let store = scratch.shipped
        try scratch.pretendBuilt(store, "python")
        let warnings = try store.resolve("python:3.7").warnings
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains("3.7") == true && warnings.first?.contains("3.11.2") == true)
        #expect(try store.resolve("python:3.11-slim").warnings.isEmpty)
    }

    @Test func anUnknownNameSaysWhichCommandWouldResolveIt() throws {
        let scratch = try Scratch()
        #expect {
            try scratch.store.resolve("me/trainer:v1")
        } throws: { error in
            guard case .unresolved(let unresolved)? = error as? ImageError else { return false }
            return unresolved.command.hasPrefix("lab image add me/trainer:v1 ")
                && unresolved.description.contains(unresolved.command)
        }
    }

    @Test func anEnvironmentThatIsNotBuiltSaysHowToBuildIt() throws {
        let scratch = try Scratch()
        #expect {
            try scratch.shipped.resolve("python:3.11")
        } throws: { error in
            (error as? ImageError)?.command == "\(scratch.shipped.share.setupScript) --cache \(scratch.path)/cache python"
        }
    }

    @Test func anInterpreterThatWentAwayIsNoticed() throws {
        let scratch = try Scratch()
        let store = scratch.shipped
        try scratch.pretendBuilt(store, "python", executable: "/usr/bin/python3.99")
        #expect {
            try store.resolve("python")
        } throws: { error in
            "\(error)".contains("/usr/bin/python3.99")
        }
    }

    @Test func changedFilesAreSeenWithoutRestart() throws {
        let scratch = try Scratch()
        let store = scratch.store
        #expect(throws: ImageError.self) { try store.resolve("x") }
        try scratch.write("state/environments/x.yaml", "images: [x]\nsystem: host\ncmd: [one]\n")
        #expect(try store.resolve("x").command == ["one"])
        try scratch.write("state/environments/x.yaml", "images: [x]\nsystem: host\ncmd: [other]\n")
        #expect(try store.resolve("x").command == ["other"])
        try FileManager.default.removeItem(atPath: "\(scratch.path)/state/environments/x.yaml")
        #expect(throws: ImageError.self) { try store.resolve("x") }
    }

    @Test func theUsersOwnComeFirstAndTheMostSpecificWins() throws {
        let scratch = try Scratch()
        try scratch.write("share/environments/a.yaml", "images: ['x:*']\nsystem: host\ncmd: [pattern]\n")
        try scratch.write("share/environments/b.yaml", "images: ['x:1']\nsystem: host\ncmd: [exact]\n")
        let store = scratch.store
        #expect(try store.resolve("x:1").command == ["exact"])
        #expect(try store.resolve("x:2").command == ["pattern"])
        #expect(!store.isLocalOnly("x:2"))
        try scratch.write("state/environments/c.yaml", "images: ['x:*']\nsystem: host\ncmd: [own]\n")
        #expect(try store.resolve("x:1").command == ["own"])
        #expect(store.isLocalOnly("x:1"))
    }

    @Test func aliasesAreFollowedAndLoopsEnd() throws {
        let scratch = try Scratch()
        try scratch.write("share/environments/a.yaml", "images: [a]\nalias: b\n")
        try scratch.write("share/environments/b.yaml", "images: [b]\nsystem: host\ncmd: [b]\n")
        try scratch.write("share/environments/c.yaml", "images: [c]\nalias: d\n")
        try scratch.write("share/environments/d.yaml", "images: [d]\nalias: c\n")
        try scratch.write("share/environments/e.yaml", "images: [e]\nalias: nowhere\n")
        let store = scratch.store
        #expect(try store.resolve("a").command == ["b"])
        #expect(throws: ImageError.self) { try store.resolve("c") }
        #expect { try store.resolve("e") } throws: { "\($0)".contains("nowhere") }
        #expect(store.list().first { $0.image == "a" }?.problem == nil)
        #expect(store.list().first { $0.image == "c" }?.problem != nil)
    }

    @Test(arguments: [
        ("images: [x]\nsytem: host\n", "sytem"), ("images: [x]\n", "found none"), ("system: host\n", "images"),
        ("images: [x]\nsystem: host\nroot: /x\n", "system and root"),
        ("images: [x]\nroot: x\n", "absolute"), ("- x\n", "mapping"),
        ("images: [x]\nsystem: host\npython: {pip: y}\n", "python.pip"), ("images: [X]\nsystem: host\n", "lower case"),
        ("images: [x]\nsystem: host\nuser: joe\n", "joe"), ("images: [x\n", "YAML"),
        ("images: [x]\nsystem: host\nwritableSystem: 7\n", "true or false"),
    ])
    func aBrokenDefinitionIsReportedAndHarmsNoOther(text: String, hint: String) throws {
        let scratch = try Scratch()
        try scratch.write("share/environments/bad.yaml", text)
        try scratch.write("share/environments/good.yaml", "images: [good]\nsystem: host\n")
        let store = scratch.store
        #expect(throws: Never.self) { try store.resolve("good") }
        #expect(store.problems().count == 1)
        #expect(store.problems().first?.description.contains(hint) == true, "\(store.problems())")
    }

    @Test func aWritableSystemAsksForAnOverlay() throws {
        let scratch = try Scratch()
        try scratch.write("share/environments/a.yaml", "images: [a]\nsystem: host\nwritableSystem: true\n")
        #expect(try scratch.store.resolve("a").mounts.first == EnvironmentMount(kind: .overlay, source: "/usr", target: "/usr"))
    }

    @Test func imageIDChangesWithTheDefinition() throws {
        let scratch = try Scratch()
        try scratch.write("share/environments/a.yaml", "images: [a]\nsystem: host\n")
        let before = try scratch.store.resolve("a").imageID
        #expect(try scratch.store.resolve("a").imageID == before)
        try scratch.write("share/environments/a.yaml", "images: [a]\nsystem: host\nenv: {A: b}\n")
        #expect(try scratch.store.resolve("a").imageID != before)
    }
}
