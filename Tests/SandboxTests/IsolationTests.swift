import Glibc
import Sandbox
import Testing

@Suite("What a container cannot reach", .enabled(if: Machine.canSandbox), .serialized)
struct IsolationTests {
    @Test func itSeesOnlyItsOwnProcesses() async throws {
        try await withHarness { harness in
            let output = try await harness.output(harness.shell("echo $$; ls -d /proc/[0-9]* | wc -l; cat /proc/1/comm"))
            let lines = output.split(separator: "\n")
            #expect(lines.first == "2")
            #expect(Int(lines[1]).map { $0 <= 4 } == true)
            #expect(lines.last == "init")
        }
    }

    @Test func nothingOfTheHostsFilesIsLeft() async throws {
        try await withHarness { harness in
            let secret = harness.directory + "/secret-\(getpid())"
            try Machine.write("secret", to: secret)
            let script = """
                for p in \(secret) /proc/1/root\(secret) /proc/1/cwd\(secret) /proc/self/root/..\(secret) /../..\(secret); do
                cat $p 2>/dev/null && echo FOUND $p; done
                for f in /proc/1/fd/* /proc/self/fd/*; do cat $f/../../../..\(secret) 2>/dev/null && echo FOUND $f; done
                cat /etc/shadow 2>/dev/null && echo FOUND shadow
                ls /proc/1/fd | wc -l; tr '\\0' '\\n' < /proc/1/cmdline; tr '\\0' '\\n' < /proc/1/environ
                """
            let lines = try await harness.output(harness.shell(script)).split(separator: "\n")
            #expect(!lines.contains { $0.contains("FOUND") || $0.contains("secret") })
            #expect(lines.first.flatMap { Int($0) }.map { $0 <= 4 } == true)
            #expect(lines.dropFirst() == ["init"])
        }
    }

    @Test func onlyTheThreeStandardDescriptorsAreOpen() async throws {
        try await withHarness { harness in
            let code = "import os; print(sorted(int(f) for f in os.listdir('/proc/self/fd')))"
            let open = try await harness.output(harness.spec("python3", "-c", code))
            // The fourth is the listing itself.
            #expect(open == "[0, 1, 2, 3]")
        }
    }

    @Test func privilegesAreGone() async throws {
        try await withHarness { harness in
            let script = "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status | tr -d '\\t'"
            let asRoot = try await harness.output(harness.shell(script)).split(separator: "\n")
            #expect(asRoot.contains("CapEff:00000000a80425fb") && asRoot.contains("CapInh:0000000000000000"))
            #expect(asRoot.contains("NoNewPrivs:1") && asRoot.contains("Seccomp:2"))

            var spec = try harness.shell(script)
            (spec.user, spec.group) = (1000, 1000)
            let asUser = try await harness.output(spec).split(separator: "\n")
            for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] { #expect(asUser.contains("\(set):0000000000000000")) }

            spec = try harness.shell(script)
            spec.capabilities = .none
            #expect(try await harness.output(spec).contains("CapBnd:0000000000000000"))
        }
    }

    @Test func theProgramIsTheUserItShouldBe() async throws {
        try await withHarness { harness in
            var spec = try harness.shell("id -u; id -g; id -G; umask; pwd; hostname; ulimit -n")
            (spec.user, spec.group) = (1000, 1001)
            if !Machine.hasOneId { spec.supplementaryGroups = [1001, 2000] }
            spec.umask = 0o027
            spec.workingDirectory = "/made/here"
            spec.hostname = "pod-1"
            spec.openFiles = 512
            let groups = Machine.hasOneId ? "1001" : "1001 2000"
            #expect(try await harness.output(spec) == "1000\n1001\n\(groups)\n0027\n/made/here\npod-1\n512")
        }
    }

    @Test func kernelFilesAreHiddenOrReadOnly() async throws {
        try await withHarness { harness in
            let script = """
                for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/sys/net/ipv4/ip_forward; do
                  [ -e $f ] && (echo 0 > $f) 2>/dev/null && echo WROTE $f; done
                [ -s /proc/kcore ] && echo kcore; cat /proc/keys /proc/timer_list 2>/dev/null | head -1
                ls /sys/firmware /proc/acpi /proc/scsi 2>/dev/null | grep -v -e : -e '^$'; touch /sys/x 2>/dev/null && echo sys
                mount -o remount,rw /proc/sys 2>/dev/null && echo remounted
                umount /proc/sys 2>/dev/null && echo unmounted
                echo > /dev/null && head -c 4 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c; ls /dev | tr '\\n' ' '
                """
            let output = try await harness.output(harness.shell(script))
            #expect(output == "4\n4\nfd full null ptmx pts random shm stderr stdin stdout tty urandom zero ")
        }
    }

    /// Number, arguments: each is refused under the profile. The twin shows that the machine itself would do most of them.
    @Test func refusedSystemCallsFail() async throws {
        #if arch(x86_64)
        try await withHarness { harness in
            let code = """
                import ctypes, mmap, os
                libc = ctypes.CDLL(None, use_errno=True)
                def call(name, *a):
                    ctypes.set_errno(0)
                    r = libc.syscall(*[ctypes.c_long(x) for x in a])
                    print(name, 0 if r >= 0 else ctypes.get_errno())
                call('unshare_user', 272, 0x10000000); call('unshare_mount', 272, 0x20000); call('clone_newuser', 56, 0x10000000 | 17, 0, 0, 0, 0)
                call('clone3', 435, 0, 0); call('setns', 308, 0, 0); call('mount', 165, 0, 0, 0, 0, 0); call('umount2', 166, 0, 0)
                call('pivot_root', 155, 0, 0); call('open_tree', 428, -100, 0, 0); call('fsopen', 430, 0, 0); call('bpf', 321, 0, 0, 0)
                call('perf_event_open', 298, 0, 0, 0, 0, 0); call('userfaultfd', 323, 0); call('io_uring_setup', 425, 1, 0)
                call('keyctl', 250, 0, 0); call('add_key', 248, 0, 0, 0, 0, 0); call('kexec_load', 246, 0, 0, 0, 0)
                call('open_by_handle_at', 304, 0, 0, 0); call('init_module', 175, 0, 0, 0); call('swapon', 167, 0, 0); call('reboot', 169, 0, 0, 0, 0)
                call('settimeofday', 164, 0, 0); call('tiocsti', 16, 0, 0x5412, 0); call('tiocsti_high', 16, 0, 0x1200005412, 0)
                call('tioclinux', 16, 0, 0x541C, 0); call('vsock', 41, 40, 1, 0); call('alg', 41, 38, 5, 0)
                call('x32_getpid', 0x40000000 | 39)
                m = mmap.mmap(-1, 4096, prot=7); m.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')
                f = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))
                r = f(); print('i386_getpid', 0 if r > 0 else -r)
                """
            let lines = try await harness.output(harness.spec("python3", "-c", code)).split(separator: "\n")
            #expect(lines.count == 29)
            for line in lines {
                let words = line.split(separator: " ")
                let missing = ["clone3", "x32_getpid", "i386_getpid"].contains(words[0])
                #expect(words.last == (missing ? "38" : "1"), "\(line)")
            }
        }
        #endif
    }

    @Test func theUnconfinedTwinIsNotRefused() async throws {
        #if arch(x86_64)
        try await withHarness { harness in
            let code = """
                import ctypes
                libc = ctypes.CDLL(None, use_errno=True)
                print(libc.syscall(ctypes.c_long(41), ctypes.c_long(38), ctypes.c_long(5), ctypes.c_long(0)) >= 0 or ctypes.get_errno() != 1)
                print(libc.unshare(0x10000000))
                """
            var spec = try harness.spec("python3", "-c", code)
            spec.seccomp = .unconfined
            #expect(try await harness.output(spec) == "True\n0")
        }
        #endif
    }

    @Test func ordinaryProgramsWork() async throws {
        try await withHarness { harness in
            let code = """
                import socket, subprocess, threading, multiprocessing, tempfile, os, sys
                s = socket.create_server(('127.0.0.1', 80)); s.close()
                t = threading.Thread(target=lambda: None); t.start(); t.join()
                assert subprocess.run(['true']).returncode == 0
                with multiprocessing.Pool(2) as p: assert p.map(abs, [-1, -2]) == [1, 2]
                tempfile.NamedTemporaryFile().write(b'x'); m, w = os.openpty(); print('fine')
                """
            let output = try await harness.output(harness.spec("python3", "-c", code))
            #expect(output == "fine")
        }
    }

    @Test func containersOfAPodShareWhatTheyJoin() async throws {
        try await withHarness { harness in
            var first = try harness.shell("readlink /proc/self/ns/net /proc/self/ns/ipc /proc/self/ns/uts; hostname; sleep 20")
            first.hostname = "the-pod"
            let sandbox = try await harness.runtime.start(first)
            var second = try harness.shell("readlink /proc/self/ns/net /proc/self/ns/ipc /proc/self/ns/uts; hostname")
            second.namespaces = sandbox.namespaces
            let output = try await harness.output(second)
            let other = try await harness.output(harness.shell("readlink /proc/self/ns/net"))
            sandbox.kill()
            _ = await sandbox.wait()
            #expect(try harness.log(first).map(\.text).joined(separator: "\n") == output)
            #expect(output.split(separator: "\n").last == "the-pod")
            #expect(!output.contains(other))
        }
    }
}
