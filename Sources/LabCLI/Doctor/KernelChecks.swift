import Glibc

/// Features of the kernel, each tried in a process of its own that leaves nothing behind.
struct KernelChecks {
    let environment: [String: String]
    let isRoot: Bool
    /// The profile that etc/ ships; nil where it was not found.
    let profile: String?
    /// Where lab, labd and lab-shim lie.
    let directory: String

    private static let installedProfile = "/etc/apparmor.d/labd"
    private static let namespaces = [
        "unshare", "--user", "--map-root-user", "--mount", "--net", "--pid", "--fork", "--ipc", "--uts", "--cgroup",
    ]

    var findings: [Finding] {
        let users = userNamespaces
        guard users.verdict == .present else { return [users, seccomp] }
        // Under AppArmor's restriction the profile is for our own programs, not for unshare(1): nothing more can be tried.
        if isRestricted, !isRoot { return [users, seccomp] }
        return [users, overlay, veth, services, masquerade, seccomp]
    }

    private func number(_ path: String) -> Int? {
        (try? SmallFile.readIfPresent(path)).flatMap { $0 }.flatMap { Int(String(decoding: $0, as: UTF8.self).filter { $0 != "\n" }) }
    }

    private var isRestricted: Bool { number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1 }

    // MARK: User namespaces

    private var userNamespaces: Finding {
        let name = "user namespaces"
        if number("/proc/sys/user/max_user_namespaces") == 0 {
            return .missing(name, "user.max_user_namespaces is 0", "sudo sysctl -w user.max_user_namespaces=63000")
        }
        if !isRoot {
            if number("/proc/sys/kernel/unprivileged_userns_clone") == 0 {
                return .missing(name, "kernel.unprivileged_userns_clone is 0", "sudo sysctl -w kernel.unprivileged_userns_clone=1")
            }
            if isRestricted { return restricted(name) }
        }
        guard let trial = ProgramRun.run(Self.namespaces + ["true"], environment: environment) else {
            return .missing(name, "unshare(1) is missing, so it cannot be tried", "sudo apt-get install -y util-linux")
        }
        if trial.status == 0 { return .present(name) }
        return .missing(
            name, trial.lastLine, "inside a container: run it with --security-opt seccomp=unconfined, or privileged",
            "elsewhere: the kernel needs CONFIG_USER_NS, and no policy that forbids it")
    }

    /// Ubuntu 24.04: only programs with a profile may make user namespaces.
    private func restricted(_ name: String) -> Finding {
        if let installed = try? SmallFile.readIfPresent(Self.installedProfile), !installed.isEmpty,
            String(decoding: installed, as: UTF8.self).contains(directory)
        {
            return .present(name, "AppArmor restricts them; \(Self.installedProfile) allows ours")
        }
        var finding = Finding(
            name: name, verdict: .missing,
            detail: "AppArmor restricts them (kernel.apparmor_restrict_unprivileged_userns is 1): labd needs a profile")
        finding.remedy = ["sudo tee \(Self.installedProfile) <<'EOF'"]
        finding.remedy += AppArmorProfile.text(profile ?? AppArmorProfile.minimal, directory: directory).split(
            separator: "\n", omittingEmptySubsequences: false
        )
        .map(String.init)
        if finding.remedy.last == "" { finding.remedy.removeLast() }
        finding.remedy += ["EOF", "sudo apparmor_parser -r \(Self.installedProfile)"]
        return finding
    }

    // MARK: What is done in them

    private var overlay: Finding {
        let name = "overlay mounts in user namespaces"
        let script = """
            set -e; mount -t tmpfs tmpfs /mnt; mkdir /mnt/lower /mnt/upper /mnt/work /mnt/root
            mount -t overlay overlay -o lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work,userxattr /mnt/root; touch /mnt/root/x
            """
        guard let trial = ProgramRun.run(Self.namespaces + ["sh", "-c", script], environment: environment), trial.status != 0 else {
            return .present(name)
        }
        return .missing(name, trial.lastLine, "Linux 5.11 or newer with overlayfs is needed: sudo modprobe overlay")
    }

    private var veth: Finding {
        let name = "network namespaces with veth"
        guard
            let trial = ProgramRun.run(
                Self.namespaces + ["ip", "link", "add", "kd0", "type", "veth", "peer", "name", "kd1"], environment: environment),
            Programs.find("ip", environment) != nil
        else { return .missing(name, "ip(8) is missing, so it cannot be tried", "sudo apt-get install -y iproute2") }
        if trial.status == 0 { return .present(name) }
        return .missing(name, trial.lastLine, "sudo modprobe veth")
    }

    /// What `ServiceProxy` and `PolicyEnforcer` ask of the kernel, in small.
    private static let serviceRules = """
        add table ip kd; add map ip kd m { type ipv4_addr . inet_proto . inet_service : verdict; }; \
        add set ip kd s { type ipv4_addr; flags dynamic,timeout; size 64; }; add chain ip kd c; \
        add rule ip kd c update @s { ip saddr timeout 9s }; \
        add rule ip kd c meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.0.0.1 . 80, 1 : 10.0.0.2 . 80 }; \
        add chain ip kd p { type nat hook prerouting priority -100; }; add rule ip kd p ip daddr . meta l4proto . th dport vmap @m; \
        add chain ip kd f { type filter hook forward priority 0; }; add rule ip kd f ct state established accept; add rule ip kd f reject
        """

    private var services: Finding {
        let name = "nft for Services and NetworkPolicies"
        let less = "service proxy: labd itself, so that connections end with it; and pods that a NetworkPolicy selects do not start"
        guard Programs.find("nft", environment) != nil else {
            return .limited(name, "nft(8) is missing: \(less)", "sudo apt-get install -y nftables")
        }
        guard let trial = ProgramRun.run(Self.namespaces + ["nft", Self.serviceRules], environment: environment), trial.status != 0 else {
            return .present(name, "service proxy: nftables")
        }
        return .limited(name, "\(trial.lastLine): \(less)", "sudo modprobe -a nf_tables nft_nat nft_ct nft_numgen nft_reject nft_reject_ipv4")
    }

    private var masquerade: Finding {
        let name = "nft masquerading, for pods that reach the world outside"
        guard Programs.find("nft", environment) != nil else {
            return .limited(name, "nft(8) is missing: pods reach each other only", "sudo apt-get install -y nftables")
        }
        let rules = "add table ip kd; add chain ip kd out { type nat hook postrouting priority 100; }; add rule ip kd out masquerade"
        guard let trial = ProgramRun.run(Self.namespaces + ["nft", rules], environment: environment), trial.status != 0 else {
            return .present(name, "egress: none unless the lab is started with 'lab up --uplink'; then \(isRoot ? "veth" : "pasta or slirp4netns")")
        }
        return .limited(name, trial.lastLine, "sudo modprobe nft_masq")
    }

    private var seccomp: Finding {
        let path = "/proc/sys/kernel/seccomp/actions_avail"
        let name = "seccomp filters"
        guard let actions = try? SmallFile.readIfPresent(path) else {
            return .missing(name, "there is no \(path)", "the kernel needs CONFIG_SECCOMP_FILTER")
        }
        let words = String(decoding: actions, as: UTF8.self)
        return words.contains("errno")
            ? .present(name) : .missing(name, "the kernel offers only: \(words)", "the kernel needs CONFIG_SECCOMP_FILTER")
    }
}

/// The AppArmor profile that lets labd make user namespaces.
enum AppArmorProfile {
    static let minimal = """
        abi <abi/4.0>,
        include <tunables/global>

        @{kindling}=/usr/bin

        profile labd @{kindling}/{lab,labd,lab-shim} flags=(unconfined) {
          userns,

          include if exists <local/labd>
        }

        """

    /// The profile for programs that lie in this directory.
    static func text(_ profile: String, directory: String) -> String {
        let lines = profile.split(separator: "\n", omittingEmptySubsequences: false).filter { !$0.hasPrefix("#") }
        return lines.map { $0.hasPrefix("@{kindling}=") ? "@{kindling}=\(quoted(directory))" : String($0) }.joined(separator: "\n")
    }

    private static func quoted(_ path: String) -> String { path.contains(where: { $0 == " " }) ? "\"\(path)\"" : path }
}
