import KubeModel

/// What works in a pod but deserves a word (upstream: pkg/api/pod/warnings.go).
struct PodWarnings {
    private let spec: JSON
    private let annotations: JSON
    /// Empty for a pod, with a dot at its end for a template, e.g. `spec.template.`.
    private let place: String
    private var found: [String] = []

    /// - Parameters:
    ///   - object: a pod or a template of pods.
    ///   - place: the path of the template; empty for a pod.
    static func all(_ object: JSON, at place: String = "") -> [String] {
        var warnings = PodWarnings(object, place)
        warnings.labels()
        warnings.oldAnnotations()
        warnings.found += VolumeWarnings.all(object["spec"]["volumes"].elements, at: "\(warnings.place)spec.volumes")
        warnings.names()
        warnings.amounts(object["spec"]["overhead"], "\(warnings.place)spec.overhead", ["memory", "ephemeral-storage"])
        warnings.containers()
        warnings.ports()
        warnings.gracePeriod()
        warnings.podAffinity()
        return warnings.found
    }

    private init(_ object: JSON, _ place: String) {
        spec = object["spec"]
        annotations = object["metadata"]["annotations"]
        self.place = place.isEmpty ? "" : "\(place)."
    }

    private mutating func add(_ path: String, _ text: String) { found.append("\(place)\(path): \(text)") }

    // MARK: The pod as a whole

    private mutating func labels() {
        for key in spec["nodeSelector"].members.keys {
            if let text = NodeLabelWarnings.deprecated[key] { add("spec.nodeSelector[\(key)]", text) }
        }
        let affinity = spec["affinity"]["nodeAffinity"]
        let path = "\(place)spec.affinity.nodeAffinity"
        let required = "requiredDuringSchedulingIgnoredDuringExecution"
        found += NodeLabelWarnings.terms(affinity[required]["nodeSelectorTerms"], at: "\(path).\(required).nodeSelectorTerms")
        let preferred = "preferredDuringSchedulingIgnoredDuringExecution"
        for (index, term) in affinity[preferred].elements.enumerated() {
            found += NodeLabelWarnings.term(term["preference"], at: "\(path).\(preferred)[\(index)].preference")
        }
        for (index, constraint) in spec["topologySpreadConstraints"].elements.enumerated() {
            let path = "spec.topologySpreadConstraints[\(index)]"
            let key = constraint["topologyKey"].stringValue ?? ""
            if let text = NodeLabelWarnings.deprecated[key] { add("\(path).topologyKey", "\(key) is \(text)") }
            if constraint["labelSelector"].isNull { add("\(path).labelSelector", Self.matchesNothing) }
        }
    }

    private static let matchesNothing = "a null labelSelector results in matching no pod"

    private static let deprecatedAnnotations: KeyValuePairs = [
        "scheduler.alpha.kubernetes.io/critical-pod": "non-functional in v1.16+; use the \"priorityClassName\" field instead",
        "security.alpha.kubernetes.io/sysctls": "non-functional in v1.11+; use the \"sysctls\" field instead",
        "security.alpha.kubernetes.io/unsafe-sysctls": "non-functional in v1.11+; use the \"sysctls\" field instead",
    ]
    private static let seccomp = "non-functional in v1.27+; use the \"seccompProfile\" field instead"

    private mutating func oldAnnotations() {
        for (key, text) in Self.deprecatedAnnotations where annotations.has(key) { add("metadata.annotations[\(key)]", text) }
    }

    private mutating func names() {
        var addresses: Set<String> = []
        for (index, alias) in spec["hostAliases"].elements.enumerated() {
            let address = alias["ip"].stringValue ?? ""
            if !addresses.insert(address).inserted { add("spec.hostAliases[\(index)].ip", "duplicate ip \(JSON.quoted(address))") }
        }
        let secrets = spec["imagePullSecrets"].elements.map { $0["name"].stringValue ?? "" }
        var seen: Set<String> = []
        for (index, name) in secrets.enumerated() where !seen.insert(name).inserted {
            add("spec.imagePullSecrets[\(index)].name", "duplicate name \(JSON.quoted(name))")
        }
        for (index, name) in secrets.enumerated() where name.isEmpty { add("spec.imagePullSecrets[\(index)].name", "invalid empty name \"\"") }
    }

    private mutating func amounts(_ amounts: JSON, _ path: String, _ names: [String]) {
        found += AmountWarnings.fractions(in: amounts, at: path, names)
    }

    private mutating func gracePeriod() {
        guard let seconds = spec["terminationGracePeriodSeconds"].intValue, seconds < 0 else { return }
        add("spec.terminationGracePeriodSeconds", "must be >= 0; negative values are invalid and will be treated as 1")
    }

    private mutating func podAffinity() {
        for kind in ["podAffinity", "podAntiAffinity"] {
            let affinity = spec["affinity"][kind]
            for (list, inner) in [("required", [String]()), ("preferred", ["podAffinityTerm"])] {
                let name = "\(list)DuringSchedulingIgnoredDuringExecution"
                for (index, term) in affinity[name].elements.enumerated() {
                    let steps = inner + ["labelSelector"]
                    guard steps.reduce(term, { $0[$1] }).isNull else { continue }
                    add("spec.affinity.\(kind).\(name)[\(index)].\(steps.joined(separator: "."))", Self.matchesNothing)
                }
            }
        }
    }

    // MARK: Containers

    /// All containers, with their paths.
    private var all: [(path: String, container: JSON)] {
        ["initContainers", "containers", "ephemeralContainers"].flatMap { list in
            spec[list].elements.enumerated().map { ("\(place)spec.\(list)[\($0.offset)]", $0.element) }
        }
    }

    private mutating func containers() {
        let security = spec["securityContext"]
        if security["seccompProfile"].isNull, annotations.has("seccomp.security.alpha.kubernetes.io/pod") {
            add("metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]", Self.seccomp)
        }
        for (path, container) in all {
            let name = container["name"].stringValue ?? ""
            let own = container["securityContext"]
            let seccomp = "container.seccomp.security.alpha.kubernetes.io/\(name)"
            if own["seccompProfile"].isNull, annotations.has(seccomp) { add("metadata.annotations[\(seccomp)]", Self.seccomp) }
            let armour = "container.apparmor.security.beta.kubernetes.io/\(name)"
            if security["appArmorProfile"].isNull, own["appArmorProfile"].isNull, annotations.has(armour) {
                add("metadata.annotations[\(armour)]", "deprecated since v1.30; use the \"appArmorProfile\" field instead")
            }
            for name in ["memory", "ephemeral-storage"] {
                for list in ["limits", "requests"] { amounts(container["resources"][list], "\(path).resources.\(list)", [name]) }
            }
            variables(container["env"].elements, path)
        }
    }

    /// A name that is given twice is fine where the second value is made of the first.
    private mutating func variables(_ variables: [JSON], _ path: String) {
        var names: Set<String> = []
        for (index, variable) in variables.enumerated() {
            let name = variable["name"].stringValue ?? ""
            if names.insert(name).inserted { continue }
            let reference = "$(\(name))"
            let value = variable["value"].stringValue ?? ""
            if variable["valueFrom"].isNull, value != reference, value.contains(reference) { continue }
            found.append("\(path).env[\(index)]: hides previous definition of \(JSON.quoted(name)), which may be dropped when using apply")
        }
    }

    private struct Port {
        let path: String
        let number: Int
        let transport: String
        let hostPort: Int
        let hostIP: String
        let name: String

        init(_ port: JSON, _ path: String) {
            self.path = path
            number = port["containerPort"].intValue ?? 0
            transport = port["protocol"].stringValue ?? ""
            hostPort = port["hostPort"].intValue ?? 0
            hostIP = port["hostIP"].stringValue ?? ""
            name = port["name"].stringValue ?? ""
        }

        /// As Go prints the struct.
        var text: String { "{Name:\(name) HostPort:\(hostPort) ContainerPort:\(number) Protocol:\(transport) HostIP:\(hostIP)}" }

        func problem(beside other: Port) -> String? {
            if hostIP == other.hostIP, hostPort == other.hostPort { return "duplicate" }
            if hostPort == 0 || other.hostPort == 0 { return "overlapping" }
            return hostPort == other.hostPort && hostIP.isEmpty != other.hostIP.isEmpty ? "dangerously ambiguous" : nil
        }
    }

    private mutating func ports() {
        var earlier: [String: [Port]] = [:]
        for (path, container) in all {
            for (index, value) in container["ports"].elements.enumerated() {
                let port = Port(value, "\(path).ports[\(index)]")
                if !port.hostIP.isEmpty, port.hostPort == 0 { found.append("\(port.path): hostIP set without hostPort: \(port.text)") }
                let key = "\(port.number)/\(port.transport)"
                for other in earlier[key] ?? [] {
                    if let problem = port.problem(beside: other) { found.append("\(port.path): \(problem) port definition with \(other.path)") }
                }
                earlier[key, default: []].append(port)
            }
        }
    }
}
