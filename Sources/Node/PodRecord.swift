import KubeModel

/// `pods/<uid>/pod.json`: what the node must know of a pod after a crash and cannot read in the catalogue.
/// Everything else is in the directory's form: `containers/<name>/<attempt>` exists from just before an attempt's start.
struct PodRecord: Sendable, Equatable {
    var uid: String
    var namespace: String
    var name: String
    /// Written before the first container starts; empty before that.
    var address = ""
    /// Written before the first container starts; given back when the last has ended.
    var devices = DeviceAssignment()
    /// The attempts that the lab has ended because they had done enough, by container: their end counts as 0.
    var endedEarly: [String: Int] = [:]
    /// The attempts that ran when the lab itself stopped the pod, by container, and when that was: written before the first signal.
    var stopped: [String: Int] = [:]
    var stoppedAt: Timestamp?
    /// What the container of a trial has used, all its attempts together: nanoseconds of time and of processors, bytes.
    var spent: [Int64] = []

    init(uid: String, namespace: String, name: String) {
        self.uid = uid
        self.namespace = namespace
        self.name = name
    }

    init?(directory: String) {
        guard let bytes = try? Files.read("\(directory)/pod.json"), let json = try? JSONParser.parse(bytes),
            let uid = json["uid"].stringValue, let namespace = json["namespace"].stringValue, let name = json["name"].stringValue
        else { return nil }
        self.init(uid: uid, namespace: namespace, name: name)
        address = json["address"].stringValue ?? ""
        devices = DeviceAssignment(json["devices"])
        // A daemon before CDI wrote GPUs by the numbers of their device files.
        for (container, numbers) in json["gpus"].members {
            let names = numbers.elements.compactMap(\.intValue).map { "\(NVIDIADriver.kind)=\($0)" }
            devices.byContainer[container] = names
            devices.held += names
        }
        for (container, attempt) in json["endedEarly"].members { endedEarly[container] = attempt.intValue }
        for (container, attempt) in json["stopped"].members { stopped[container] = attempt.intValue }
        spent = json["spent"].elements.compactMap { $0.intValue.map(Int64.init) }
        stoppedAt = json["stoppedAt"].stringValue.flatMap { Timestamp(parsing: $0) }
    }

    func write(to directory: String) throws(FileError) {
        var json: JSON = [
            "uid": .string(uid), "namespace": .string(namespace), "name": .string(name), "address": .string(address),
        ]
        if !devices.isEmpty { json["devices"] = devices.json }
        for (container, attempt) in endedEarly.sorted(by: { $0.key < $1.key }) { json["endedEarly"][container] = JSON(attempt) }
        for (container, attempt) in stopped.sorted(by: { $0.key < $1.key }) { json["stopped"][container] = JSON(attempt) }
        if let stoppedAt { json["stoppedAt"] = .string(stoppedAt.nano) }
        if !spent.isEmpty { json["spent"] = .array(spent.map(JSON.int)) }
        try Files.write(json.encoded(), to: "\(directory)/pod.json")
    }
}

/// Names in a pod's directory.
struct PodDirectory: Sendable {
    let path: String

    var containers: String { "\(path)/containers" }
    var volumes: String { "\(path)/volumes" }
    var logs: String { "\(path)/logs" }
    /// What containers share; absent in a pod of one container.
    var shared: String { "\(path)/shared" }
    func attempts(of container: String) -> String { "\(containers)/\(container)" }
    func attempt(_ number: Int, of container: String) -> String { "\(containers)/\(container)/\(number)" }
    /// Says which probe has condemned an attempt, from before it is ended.
    func verdict(_ number: Int, of container: String) -> String { "\(attempt(number, of: container))/verdict" }
    /// Says that an attempt's `postStart` hook has ended well.
    func hookMark(_ number: Int, of container: String) -> String { "\(attempt(number, of: container))/post-started" }
    func logDirectory(of container: String) -> String { "\(logs)/\(container)" }
    func log(_ number: Int, of container: String) -> String { "\(logs)/\(container)/\(number).log" }

    /// The numbers of a container's attempts that have left a trace, in order.
    func attemptNumbers(of container: String) -> [Int] { Files.list(attempts(of: container)).compactMap { Int($0) }.sorted() }
}
