import Glibc
import Sandbox
import Testing

@Suite("Volumes", .enabled(if: Machine.canSandbox), .serialized)
struct VolumeTests {
    @Test func aVolumeIsSharedAndAReadOnlyOneIsNot() async throws {
        try await withHarness { harness in
            let volume = harness.directory + "/volume"
            try Harness.makeDirectory(volume)
            var spec = try harness.shell("echo data > /deep/in/file; (echo no > /fixed/file) 2>/dev/null; cat /fixed/file; echo $?")
            spec.mounts.append(Mount(kind: .bind(source: volume, subPath: nil), target: "/deep/in"))
            spec.mounts.append(Mount(kind: .bind(source: volume, subPath: nil), target: "/fixed", readOnly: true))
            #expect(try await harness.output(spec) == "data\n0")
            #expect(try Machine.text(of: volume + "/file") == "data\n")
        }
    }

    @Test func aFileIsMountedOverAFile() async throws {
        try await withHarness { harness in
            let file = harness.directory + "/hosts"
            try Machine.write("127.0.0.1 here\n", to: file)
            var spec = try harness.shell("cat /etc/hosts /opt/new/file; grep -c root /etc/passwd")
            spec.mounts.append(Mount(kind: .bind(source: file, subPath: nil), target: "/etc/hosts"))
            spec.mounts.append(Mount(kind: .bind(source: file, subPath: nil), target: "/opt/new/file"))
            #expect(try await harness.output(spec) == "127.0.0.1 here\n127.0.0.1 here\n1")
        }
    }

    @Test func volumesHaveNoDevicesAndNoSetuid() async throws {
        try await withHarness { harness in
            let volume = harness.directory + "/volume"
            try Harness.makeDirectory(volume)
            var spec = try harness.shell("grep -E ' /v | / / ' /proc/self/mountinfo | cut -d' ' -f5,6")
            spec.mounts.append(Mount(kind: .bind(source: volume, subPath: nil), target: "/v"))
            let lines = try await harness.output(spec).split(separator: "\n")
            #expect(lines.count == 2)
            for line in lines {
                #expect(line.contains("nosuid") && line.contains("nodev"), "\(line)")
            }
        }
    }

    /// CVE-2017-1002101: a volume whose link points out of it.
    @Test func aSubPathCannotLeaveItsVolume() async throws {
        try await withHarness { harness in
            let volume = harness.directory + "/volume"
            try Harness.makeDirectory(volume)
            symlink("/etc", volume + "/absolute")
            symlink("../../../../../../etc", volume + "/relative")
            symlink("inside", volume + "/benign")
            try Harness.makeDirectory(volume + "/inside")
            try Machine.write("mine", to: volume + "/inside/passwd")
            for name in ["absolute", "relative", "../../etc", "inside/../../../etc"] {
                var spec = try harness.shell("ls /data; cat /data/passwd")
                spec.mounts.append(Mount(kind: .bind(source: volume, subPath: name), target: "/data"))
                let output = (try? await harness.output(spec)) ?? ""
                #expect(!output.contains("root:"), "\(name)")
            }
            var spec = try harness.shell("cat /data/passwd")
            spec.mounts.append(Mount(kind: .bind(source: volume, subPath: "benign"), target: "/data"))
            #expect(try await harness.output(spec) == "mine")
        }
    }

    /// CVE-2021-25741: a sibling swaps the directory for a link while others mount it.
    @Test func aSubPathSwappedDuringTheMountShowsNothingElse() async throws {
        #if arch(x86_64)
        try await withHarness { harness in
            let volume = harness.directory + "/volume"
            for path in [volume, volume + "/data"] { try Harness.makeDirectory(path) }
            try Machine.write("outside", to: harness.directory + "/marker")
            try Machine.write("inside", to: volume + "/data/marker")
            symlink(harness.directory, volume + "/link")
            let swap = """
                import ctypes
                swap = ctypes.CDLL(None).syscall
                while True: swap(316, -100, b'/v/data', -100, b'/v/link', 2)
                """
            var hostile = try harness.spec("python3", "-c", swap)
            hostile.mounts.append(Mount(kind: .bind(source: volume, subPath: nil), target: "/v"))
            let attacker = try await harness.runtime.start(hostile)
            var seen: Set<String> = []
            for _ in 0..<60 {
                var spec = try harness.shell("cat /data/marker")
                spec.mounts.append(Mount(kind: .bind(source: volume, subPath: "data"), target: "/data"))
                // A mount may fail; it must not succeed elsewhere.
                if let output = try? await harness.output(spec) { seen.insert(output) }
            }
            attacker.kill()
            _ = await attacker.wait()
            #expect(!seen.contains("outside"))
            #expect(seen.contains("inside"))
        }
        #endif
    }

    @Test func aMountTargetStaysInTheRootWhateverTheImageHolds() async throws {
        try await withHarness { harness in
            let layer = harness.directory + "/layer"
            let outside = harness.directory + "/outside"
            for path in [layer, outside, harness.directory + "/volume"] { try Harness.makeDirectory(path) }
            symlink(outside, layer + "/escape")
            symlink("../../../../../../../../..\(outside)", layer + "/climb")
            for target in ["/escape", "/climb/below"] {
                var spec = try harness.shell("touch \(target)/file")
                spec.rootLower.insert(layer, at: 0)
                spec.mounts.append(Mount(kind: .bind(source: harness.directory + "/volume", subPath: nil), target: target))
                _ = try? await harness.run(spec)
                #expect(access(outside + "/file", F_OK) != 0 && access(outside + "/below", F_OK) != 0)
            }
        }
    }

    /// CVE-2019-19921, CVE-2023-27561, CVE-2026-41579: an image in which a directory that we rely on is a link.
    @Test func anImageWithALinkForASystemDirectoryIsRefused() async throws {
        try await withHarness { harness in
            for name in ["proc", "dev", "sys"] {
                let layer = harness.directory + "/layer-\(name)"
                try Harness.makeDirectory(layer)
                symlink("/tmp", "\(layer)/\(name)")
                var spec = try harness.spec("true")
                spec.rootLower.insert(layer, at: 0)
                await #expect { _ = try await harness.runtime.start(spec) } throws: { error in
                    (error as? SetupFailure)?.step == "mount /\(name)"
                }
            }
        }
    }

    @Test func layersStackAndTheRootMayBeReadOnly() async throws {
        try await withHarness { harness in
            let upper = harness.directory + "/upper-layer"
            try Harness.makeDirectory(upper)
            try Machine.write("top\n", to: upper + "/which")
            var spec = try harness.shell("cat /which; touch /x 2>/dev/null || echo ro; touch /tmp/y && echo tmp")
            spec.rootLower.insert(upper, at: 0)
            spec.rootReadOnly = true
            spec.temporaryFileSystem = true
            #expect(try await harness.output(spec) == "top\nro\ntmp")
            spec = try harness.shell("touch /x && echo written")
            #expect(try await harness.output(spec) == "written")
        }
    }

    @Test func tmpfsAndOverlayMounts() async throws {
        try await withHarness { harness in
            let source = harness.directory + "/source"
            try Harness.makeDirectory(source)
            try Machine.write("old", to: source + "/file")
            var spec = try harness.shell("df -k /mem | tail -1 | tr -s ' ' | cut -d' ' -f2; printf new > /over/file; cat /over/file")
            spec.mounts.append(Mount(kind: .tmpfs(sizeBytes: 1 << 20, mode: 0o1777), target: "/mem"))
            spec.mounts.append(Mount(kind: .overlay(source: source), target: "/over"))
            #expect(try await harness.output(spec) == "1024\nnew")
            #expect(try Machine.text(of: source + "/file") == "old")
        }
    }

    @Test func layersLieOverTheSourceOfAnOverlay() async throws {
        try await withHarness { harness in
            let places = ["source", "middle", "top"].map { "\(harness.directory)/\($0)" }
            for place in places {
                try Harness.makeDirectory(place)
                try Machine.write(place.suffix(3).description, to: place + "/which")
            }
            try Machine.write("below", to: places[0] + "/below")
            var spec = try harness.shell("cat /over/which /over/below /other/which; printf new > /over/new")
            spec.mounts.append(Mount(kind: .overlay(source: places[0], above: [places[2], places[1]]), target: "/over"))
            spec.mounts.append(Mount(kind: .overlay(source: places[0], above: [places[1]]), target: "/other"))
            #expect(try await harness.output(spec) == "topbelowdle")
            let upper = Mount.upperDirectory(ofMount: spec.mounts.count - 2)
            #expect(try Machine.text(of: "\(spec.stateDirectory)/\(upper)/new") == "new")
        }
    }

    @Test func lastWordsAreKept() async throws {
        try await withHarness { harness in
            var spec = try harness.shell("printf 'last words' > /dev/termination-log; exit 1")
            spec.terminationMessagePath = "/dev/termination-log"
            (spec.user, spec.group) = (1000, 1000)
            #expect(try await harness.run(spec).exit.exitCode == 1)
            #expect(harness.runtime.terminationMessage(stateDirectory: spec.stateDirectory) == Array("last words".utf8))
        }
    }

    @Test func standardInputIsAFileOrNothing() async throws {
        try await withHarness { harness in
            let file = harness.directory + "/input"
            try Machine.write("fed", to: file)
            var spec = try harness.spec("cat")
            spec.stdinPath = file
            #expect(try await harness.output(spec) == "fed")
            #expect(try await harness.output(harness.spec("cat")) == "")
        }
    }
}
