import Foundation
import Testing

@testable import Images

@Suite struct AddTests {
    @Test func addsAndRemovesARoot() throws {
        let scratch = try Scratch()
        try scratch.makeExecutable("my root/bin/sh")
        let store = scratch.store
        let added = try store.add("me/trainer:v1", from: .root("\(scratch.path)/my root"))
        #expect(added.warnings.isEmpty)
        #expect(added.entry.image == "me/trainer:v1")
        let environment = try store.resolve("docker.io/me/trainer:v1")
        #expect(environment.lowerDirectories == ["\(scratch.path)/my root"])
        #expect(environment.mounts.isEmpty)
        #expect(throws: ImageError.self) { try store.resolve("me/trainer:v2") }
        try store.remove("docker.io/me/trainer:v1")
        #expect(throws: ImageError.self) { try store.resolve("me/trainer:v1") }
        #expect { try store.remove("me/trainer:v1") } throws: { "\($0)".contains("was not added") }
    }

    @Test(arguments: ["/", "/home", "/root", "/etc", "/var", "/usr", "/nowhere/at/all"])
    func refusesRootsThatWouldShowTheHost(directory: String) throws {
        let scratch = try Scratch()
        #expect(throws: ImageError.self) { try scratch.store.add("x", from: .root(directory)) }
        #expect(scratch.store.list().isEmpty)
    }

    @Test func aliasOfItselfIsRefusedAndOfAnUnknownWarned() throws {
        let scratch = try Scratch()
        let store = scratch.store
        #expect(throws: ImageError.self) { try store.add("x:*", from: .alias("x:3")) }
        #expect(try store.add("x", from: .alias("y")).warnings.count == 1)
        try store.add("y", from: .root(scratch.path))
        #expect(try store.resolve("x").lowerDirectories == [scratch.path])
    }

    @Test func aVirtualEnvironmentBringsItsBaseAndNothingElse() throws {
        let scratch = try Scratch()
        let base = "\(scratch.path)/pyenv/versions/3.12.1"
        try scratch.makeExecutable("pyenv/versions/3.12.1/bin/python3.12")
        try scratch.write("pyenv/versions/3.12.1/lib/python3.12/os.py", "")
        try scratch.link("venv/bin/python3", to: "\(base)/bin/python3.12")
        try scratch.write("venv/pyvenv.cfg", "home = \(base)/bin\nversion = 3.12.1\n")
        try scratch.write("secret", "no")
        let store = scratch.store
        try store.add("me/x", from: .venv("\(scratch.path)/venv"))
        let environment = try store.resolve("me/x")
        #expect(environment.pythonVersion == "3.12.1")
        #expect(environment.variable("VIRTUAL_ENV") == "\(scratch.path)/venv")
        #expect(environment.variable("PATH")?.hasPrefix("\(scratch.path)/venv/bin:") == true)
        #expect(Set(environment.mounts.map(\.target)) == ["/usr", "\(scratch.path)/venv", base])
        #expect(environment.mounts.allSatisfy { $0.kind == .bind && $0.source == $0.target })
    }

    @Test func linksOnTheWayToTheBaseAreFollowed() throws {
        // As uv does it: venv -> a directory link named by the minor version -> the installation; and a link in ~/.local/bin.
        let scratch = try Scratch()
        try scratch.makeExecutable("uv/cpython-3.12.11/bin/python3.12")
        try scratch.write("uv/cpython-3.12.11/lib/python3.12/os.py", "")
        try scratch.link("uv/cpython-3.12", to: "cpython-3.12.11")
        try scratch.link("local/bin/python3.12", to: "\(scratch.path)/uv/cpython-3.12/bin/python3.12")
        try scratch.link("venv/bin/python3", to: "../../local/bin/python3.12")
        try scratch.write("venv/pyvenv.cfg", "home = \(scratch.path)/local/bin\nversion_info = 3.12.11.final.0\n")
        let prefix = try PythonPrefix(venv: "\(scratch.path)/venv")
        #expect(prefix.version == "3.12.11")
        let mounts = Dictionary(uniqueKeysWithValues: prefix.mounts.map { ($0.target, $0.source) })
        let installation = "\(scratch.path)/uv/cpython-3.12.11"
        #expect(
            mounts == [
                "\(scratch.path)/venv": "\(scratch.path)/venv", installation: installation,
                "\(scratch.path)/uv/cpython-3.12": installation,
                "\(scratch.path)/local/bin/python3.12": "\(installation)/bin/python3.12",
            ])
    }

    @Test func aVirtualEnvironmentWithoutInterpreterIsRefused() throws {
        let scratch = try Scratch()
        try scratch.link("venv/bin/python3", to: "/nowhere/python3")
        try scratch.write("venv/pyvenv.cfg", "home = /nowhere\n")
        #expect {
            try scratch.store.add("x", from: .venv("\(scratch.path)/venv"))
        } throws: { "\($0)".contains("/nowhere/python3") }
        #expect(throws: ImageError.self) { try scratch.store.add("x", from: .venv("\(scratch.path)/share")) }
    }

    @Test func editableInstallationsAreWarnedOf() throws {
        let scratch = try Scratch()
        try scratch.link("venv/bin/python3", to: "/usr/bin/python3")
        try scratch.write("venv/pyvenv.cfg", "home = /usr/bin\nversion = 3.11.2\n")
        try scratch.write("venv/lib/python3.11/site-packages/__editable__.pth", "/home/somebody/project/src\n")
        let added = try scratch.store.add("x", from: .venv("\(scratch.path)/venv"))
        #expect(added.warnings.count == 1)
        #expect(try scratch.store.resolve("x").mounts.map(\.target) == ["/usr", "\(scratch.path)/venv"])
    }

    @Test func aCondaPrefixIsBoundAlone() throws {
        let scratch = try Scratch()
        try scratch.write("conda/envs/tf/conda-meta/python-3.10.4-h1_0.json", "{}")
        try scratch.write("conda/envs/tf/conda-meta/python-dateutil-2.8.json", "{}")
        try scratch.makeExecutable("conda/envs/tf/bin/jupyter-lab")
        let store = scratch.store
        try store.add("me/tf", from: .conda("\(scratch.path)/conda/envs/tf"))
        let environment = try store.resolve("me/tf")
        #expect(environment.pythonVersion == "3.10.4")
        #expect(environment.variable("CONDA_DEFAULT_ENV") == "tf")
        #expect(environment.mounts.map(\.target) == ["/usr", "\(scratch.path)/conda/envs/tf"])
        #expect(environment.command.last?.contains("jupyter lab") == true)
        #expect { try store.add("x", from: .conda("no-such-env")) } throws: { "\($0)".contains("no-such-env") }
    }

    @Test func requirementsAreBuiltByTheScriptAndKept() throws {
        let scratch = try Scratch()
        try scratch.write(
            "share/setup/environments.py",
            """
            import json, pathlib, sys
            name, cache, file = (sys.argv[sys.argv.index(x) + 1] for x in ("--name", "--cache", "--requirements"))
            key = 0xCBF29CE484222325
            for byte in f"kindling python environment 2 {name}\\n".encode() + open(file, "rb").read():
                key = ((key ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
            out = pathlib.Path(cache, "python", f"{name}-{key:016x}"); (out / "root").mkdir(parents=True)
            (out / "environment.json").write_text(json.dumps(dict(
                target="/var/lib/kindling/python/" + name, version="3.11.2", executable="/usr/bin/python3", prefix="/usr")))
            """)
        try scratch.write("requirements.txt", "numpy==2.4.6\n")
        let store = scratch.store
        try store.add("me/x:1", from: .python(requirements: "\(scratch.path)/requirements.txt"))
        try FileManager.default.removeItem(atPath: "\(scratch.path)/requirements.txt")
        let environment = try store.resolve("me/x:1")
        #expect(environment.pythonVersion == "3.11.2")
        #expect(environment.variable("VIRTUAL_ENV")?.hasPrefix("/var/lib/kindling/python/x-1-") == true)
        #expect(environment.lowerDirectories.count == 2)
    }

    @Test func aFailedBuildChangesNothing() throws {
        let scratch = try Scratch()
        try scratch.write("share/setup/environments.py", "raise SystemExit(7)\n")
        try scratch.write("requirements.txt", "numpy\n")
        try scratch.write("nested.txt", "-r other.txt\n")
        let store = scratch.store
        #expect { try store.add("x", from: .python(requirements: "\(scratch.path)/requirements.txt")) } throws: { error in
            guard case .setupFailed(_, let status)? = error as? ImageError else { return false }
            return status == 7
        }
        #expect {
            try store.add("x", from: .python(requirements: "\(scratch.path)/nested.txt"))
        } throws: { "\($0)".contains("line 1") }
        #expect(store.list().isEmpty)
    }

    @Test func namesBecomeDistinctFiles() throws {
        let scratch = try Scratch()
        let store = scratch.store
        for name in ["a/b-c", "a-b/c", "a/b:c", "ghcr.io/a/b:c", "a/*"] { try store.add(name, from: .root(scratch.path)) }
        #expect(store.list().count == 5)
        try store.add("docker.io/a/b:c", from: .root(scratch.path))
        #expect(store.list().count == 5)
    }
}
