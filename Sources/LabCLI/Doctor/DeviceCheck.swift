import Node

/// GPUs and other devices that pods may be given. A lab without any is a whole lab.
struct DeviceCheck {
    let report: DeviceReport

    var finding: Finding {
        let name = "GPUs and other devices for pods"
        let none = "none: no CDI file in /etc/cdi or /var/run/cdi, and no GPU of NVIDIA's (/dev/nvidia0)"
        let detail = report.found.isEmpty ? none : report.found.joined(separator: "; ")
        if report.problems.isEmpty { return .present(name, detail) }
        var finding = Finding(name: name, verdict: .limited, detail: detail)
        finding.remedy = report.problems
        return finding
    }
}
