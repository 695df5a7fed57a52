import Catalogue
import KubeModel
import Registry

/// The Node object of this machine: made at the first start, its status written again at each start and then seldom.
struct NodeRegistration: Sendable {
    /// How often the heartbeat is written; kubelet's is 5 min where nothing changes (nodeStatusReportFrequency).
    static let heartbeat: Duration = .seconds(300)

    let client: Client
    let settings: NodeSettings
    let machine: Machine

    func register(now: Timestamp) async throws {
        let key = ObjectKey(.nodes, name: settings.name)
        if client.get(key) == nil {
            do {
                try await client.create(object)
            } catch let error as APIStatus where error.reason == "AlreadyExists" {}
        }
        let report = DeviceReport(machine.devices)
        _ = try await client.update(key) { node in report.annotate(&node) }
        try await beat(now: now)
    }

    func beat(now: Timestamp) async throws {
        let (settings, machine) = (settings, machine)
        _ = try await client.updateStatus(ObjectKey(.nodes, name: settings.name)) { status in
            status = Self.status(settings, machine, old: status, now: now)
        }
    }

    private var object: JSON {
        let labels: JSON = [
            "kubernetes.io/hostname": .string(settings.name), "kubernetes.io/os": "linux",
            "kubernetes.io/arch": .string(machine.architecture), "node-role.kubernetes.io/control-plane": "",
        ]
        return ["apiVersion": "v1", "kind": "Node", "metadata": ["name": .string(settings.name), "labels": labels], "spec": [:]]
    }

    static func status(_ settings: NodeSettings, _ machine: Machine, old: JSON, now: Timestamp) -> JSON {
        var status = old
        var capacity = machine.capacity
        capacity["pods"] = Quantity(settings.maximumPods)
        status["capacity"] = amounts(capacity)
        status["allocatable"] = amounts(machine.allocatable(settings))
        status["addresses"] = [
            ["type": "InternalIP", "address": .string(settings.address)], ["type": "Hostname", "address": .string(settings.name)],
        ]
        status["nodeInfo"] = [
            "machineID": .string(machine.machineID), "systemUUID": .string(machine.machineID), "bootID": .string(machine.bootID),
            "kernelVersion": .string(machine.kernel), "osImage": .string(machine.system),
            "containerRuntimeVersion": .string("kindling://\(settings.version)"), "kubeletVersion": .string(settings.version),
            "kubeProxyVersion": .string(settings.version), "operatingSystem": "linux", "architecture": .string(machine.architecture),
        ]
        status["runtimeHandlers"] = RuntimeHandlers.status
        status["conditions"] = conditions(old["conditions"].elements, now)
        return status
    }

    private static func conditions(_ old: [JSON], _ now: Timestamp) -> JSON {
        let wanted: [(type: String, status: String, reason: String, message: String)] = [
            ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
        ]
        return .array(wanted.map { condition in
            let previous = old.first { $0["type"].stringValue == condition.type }
            let isSame = previous?["status"].stringValue == condition.status
            return [
                "type": .string(condition.type), "status": .string(condition.status), "lastHeartbeatTime": now.json,
                "lastTransitionTime": isSame ? previous?["lastTransitionTime"] ?? now.json : now.json,
                "reason": .string(condition.reason), "message": .string(condition.message),
            ]
        })
    }

    private static func amounts(_ amounts: Amounts) -> JSON {
        JSON(strings: amounts.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value.description) })
    }
}
