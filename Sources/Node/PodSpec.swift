import Catalogue
import Glibc
import KubeModel
import Registry

/// One container of a pod's spec, with upstream's defaults for what is missing.
struct ContainerSpec: Sendable {
    let json: JSON
    let name: String
    let image: String
    /// `Always`, `IfNotPresent` or `Never`.
    let pullPolicy: String
    let isInit: Bool
    /// An init container with `restartPolicy: Always`: it runs beside the others.
    let isSidecar: Bool
    /// Added to a running pod, to look into it.
    let isEphemeral: Bool

    init(_ json: JSON, isInit: Bool, isEphemeral: Bool = false) {
        self.isEphemeral = isEphemeral
        self.json = json
        self.isInit = isInit
        name = json["name"].stringValue ?? ""
        image = json["image"].stringValue ?? ""
        pullPolicy = json["imagePullPolicy"].stringValue ?? "IfNotPresent"
        isSidecar = isInit && json["restartPolicy"].stringValue == "Always"
    }

    func strings(_ field: String) -> [String] { json[field].elements.compactMap(\.stringValue) }
    /// The container whose processes an ephemeral one shares.
    var targetContainer: String? { isEphemeral ? json["targetContainerName"].stringValue.flatMap { $0.isEmpty ? nil : $0 } : nil }
    var command: [String] { strings("command") }
    var arguments: [String] { strings("args") }
    var resources: JSON { json["resources"] }
    var securityContext: JSON { json["securityContext"] }
    var volumeMounts: [JSON] { json["volumeMounts"].elements }
    var terminationMessagePath: String { json["terminationMessagePath"].stringValue ?? "/dev/termination-log" }
    var fallsBackToLogs: Bool { json["terminationMessagePolicy"].stringValue == "FallbackToLogsOnError" }
    /// As Events name it.
    var fieldPath: String { isEphemeral ? "spec.ephemeralContainers{\(name)}" : isInit ? "spec.initContainers{\(name)}" : "spec.containers{\(name)}" }
}

/// What the node reads of a pod, parsed once per look at it.
struct PodSpec: Sendable {
    let object: StoredObject
    let json: JSON
    let containers: [ContainerSpec]
    let initContainers: [ContainerSpec]
    let ephemeralContainers: [ContainerSpec]
    /// `Always`, `OnFailure` or `Never`.
    let restartPolicy: String

    init(_ object: StoredObject) {
        self.object = object
        json = object.value["spec"]
        containers = json["containers"].elements.map { ContainerSpec($0, isInit: false) }
        initContainers = json["initContainers"].elements.map { ContainerSpec($0, isInit: true) }
        // Katib's collector is labd itself: it is listed for the sake of its log, and never started.
        ephemeralContainers = json["ephemeralContainers"].elements.filter { $0["image"].stringValue != EphemeralContainers.builtinCollector }
            .map { ContainerSpec($0, isInit: false, isEphemeral: true) }
        restartPolicy = json["restartPolicy"].stringValue ?? "Always"
    }

    var uid: String { object.uid }
    var name: String { object.name }
    var namespace: String { object.namespace }
    /// Whether containers run beside each other, and so have an ipc namespace and `/dev/shm` in common.
    var hasSeveral: Bool { containers.count + initContainers.count(where: \.isSidecar) > 1 }
    /// Init containers in order, then the others, then those that were added to look into it.
    var all: [ContainerSpec] { initContainers + containers + ephemeralContainers }
    var nodeName: String { json["nodeName"].stringValue ?? "" }
    var securityContext: JSON { json["securityContext"] }
    var gracePeriodSeconds: Int { max(0, json["terminationGracePeriodSeconds"].intValue ?? 30) }
    var activeDeadlineSeconds: Int? { json["activeDeadlineSeconds"].intValue }
    var phase: String { object.status["phase"].stringValue ?? "Pending" }
    var isTerminal: Bool { phase == "Succeeded" || phase == "Failed" }
    /// `name_namespace(uid)`, as kubelet writes it in messages.
    var title: String { "\(name)_\(namespace)(\(uid))" }

    /// At most 63 bytes, never ending in a dot or dash (kubelet: truncatePodHostnameIfNeeded).
    var hostname: String {
        if let hostname = json["hostname"].stringValue, !hostname.isEmpty { return hostname }
        var name = name.prefix(63)
        while let last = name.last, last == "." || last == "-" { name.removeLast() }
        return String(name)
    }

    /// `hostname.subdomain.namespace.svc.domain`; `nil` without a subdomain.
    func fullHostname(domain: String) -> String? {
        guard let subdomain = json["subdomain"].stringValue, !subdomain.isEmpty else { return nil }
        return "\(hostname).\(subdomain).\(namespace).svc.\(domain)"
    }

    /// The container whose output the metrics of a Katib trial are read from, where this is a trial's pod.
    var primaryContainer: String? {
        guard object.labels[TrialPods.label] != nil else { return nil }
        return object.annotations[TrialPods.primaryContainer] ?? containers.first?.name
    }
}

/// What the Katib controllers put on the pods of trials for the node to see.
enum TrialPods {
    static let label = "katib.kubeflow.org/trial"
    static let primaryContainer = "kindling.dev/primary-container"
    /// The emptyDirs that are left in place until the pod's object goes, with commas between: for metrics and outputs in them.
    static let keptVolumes = "kindling.dev/kept-volume"
    /// Upstream's sidecar; here an alias for the primary container's log.
    static let collector = "metrics-logger-and-collector"
}

extension StoredObject {
    var isTerminalPod: Bool {
        let phase = status["phase"].stringValue
        return phase == "Succeeded" || phase == "Failed"
    }
}

extension Timestamp {
    static var current: Timestamp {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Timestamp(seconds: Int64(now.tv_sec), nanoseconds: Int32(now.tv_nsec))
    }

    init(nanosecondsSince1970 nanoseconds: Int64) {
        self.init(seconds: nanoseconds / 1_000_000_000, nanoseconds: Int32(nanoseconds % 1_000_000_000))
    }

    init?(_ json: JSON) {
        guard let text = json.stringValue else { return nil }
        self.init(parsing: text)
    }

    /// As `metav1.Time` is written.
    var json: JSON { .string(description) }
}
