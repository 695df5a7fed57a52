import Katib
import KubeModel

/// The objects that a past search becomes: an Experiment and its Trials, each with the status that it ended with.
struct ImportPlan {
    let name: String
    private(set) var experiment: JSON
    private(set) var trials: [JSON]

    /// - Parameters:
    ///   - metric: what was measured, where the file does not tell.
    ///   - also: further metrics of a table, with commas between.
    /// - Throws: `CommandError` where it stays unknown what was measured.
    init(_ search: PastSearch, name wanted: String?, metric: String?, isMaximized: Bool?, also: String?, file: String) throws(CommandError) {
        name = wanted ?? Self.label(search.name)
        if let objects = search.objects {
            experiment = Self.bare(objects.experiment, name: name)
            trials = objects.trials.map { Self.bare($0, name: nil) }
            return
        }
        var search = search
        if let own = search.metric {
            if let metric, metric != own { throw CommandError("\(file): \(search.name) measures \(own), and not \(metric)", status: 64) }
        } else if let metric {
            // A study of Optuna has one unnamed value; of a table the metric is a column.
            for index in search.trials.indices where search.trials[index].metrics[metric] == nil {
                search.trials[index].metrics[metric] = search.trials[index].metrics.removeValue(forKey: "value")
            }
            search.metric = metric
        } else if search.isMaximized != nil {
            search.metric = "value"
        }
        guard let known = search.metric else {
            throw CommandError("\(file): which column was the aim? Expected --maximize METRIC or --minimize METRIC", status: 64)
        }
        if let told = search.isMaximized, let isMaximized, told != isMaximized {
            throw CommandError("\(file): \(search.name) \(told ? "maximizes" : "minimizes") \(known), and not the other way round", status: 64)
        }
        guard search.trials.contains(where: { $0.metrics[known].flatMap(Double.init) != nil }) else {
            throw CommandError("\(file): no trial of \(search.name) has a number for \(known)")
        }
        let further = search.additional + (also?.split(separator: ",").map(String.init) ?? [])
        if search.parameters.isEmpty { Self.divide(&search, metrics: [known] + further) }
        let isLarge = search.isMaximized ?? isMaximized ?? true
        experiment = Self.experiment(search, name: name, metric: known, further: further, isMaximized: isLarge)
        let objective = experiment["spec"]["objective"]
        let run = experiment["spec"]["trialTemplate"]["trialSpec"]
        var made: [JSON] = []
        for (index, trial) in search.trials.enumerated() where trial.state != "Created" && trial.state != "Running" {
            made.append(Self.trial(trial, "\(name)-\(index)", objective, run))
        }
        trials = made
        experiment["status"] = Self.status(of: trials, isMaximized: isLarge, metric: known)
    }

    /// A name that Kubernetes takes.
    static func label(_ text: String) -> String {
        let characters = text.lowercased().unicodeScalars.map { $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0)) ? Character($0) : "-" }
        let label = String(characters).split(separator: "-").joined(separator: "-").drop { $0.isNumber || $0 == "-" }.prefix(40)
        return label.isEmpty ? "imported" : String(label)
    }

    /// An object of another cluster without what that cluster has made of it.
    private static func bare(_ object: JSON, name: String?) -> JSON {
        var bare: JSON = [
            "apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": ["name": name.map(JSON.string) ?? object["metadata"]["name"]],
            "spec": object["spec"], "status": object["status"],
        ]
        if !object["metadata"]["labels"].members.isEmpty { bare["metadata"]["labels"] = object["metadata"]["labels"] }
        for (key, value) in object["metadata"]["annotations"].members where !key.hasPrefix("kubectl.kubernetes.io/") {
            bare["metadata"]["annotations"][key] = value
        }
        return bare
    }

    // MARK: What a file without objects tells

    /// A table's columns are parameters but for those that are metrics; their ranges are those of the values.
    private static func divide(_ search: inout PastSearch, metrics: [String]) {
        for index in search.trials.indices {
            search.trials[index].metrics = search.trials[index].metrics.filter { metrics.contains($0.key) }
            search.trials[index].parameters = search.trials[index].parameters.filter { !metrics.contains($0.key) }
        }
        let names = Set(search.trials.flatMap(\.parameters.keys)).sorted()
        search.parameters = names.map { name in
            let values = search.trials.compactMap { $0.parameters[name] }
            let numbers = values.compactMap { Double($0) }.filter(\.isFinite)
            let isInteger = values.allSatisfy { Int64($0) != nil }
            guard numbers.count == values.count, let low = numbers.min(), let high = numbers.max() else {
                return ["name": .string(name), "parameterType": "categorical", "feasibleSpace": ["list": .array(Set(values).sorted().map(JSON.string))]]
            }
            func text(_ number: Double) -> JSON { .string(isInteger ? "\(Int64(number))" : "\(number)") }
            return ["name": .string(name), "parameterType": isInteger ? "int" : "double", "feasibleSpace": ["min": text(low), "max": text(high)]]
        }
    }

    private static func experiment(_ search: PastSearch, name: String, metric: String, further: [String], isMaximized: Bool) -> JSON {
        var objective: JSON = ["type": isMaximized ? "maximize" : "minimize", "objectiveMetricName": .string(metric)]
        let others = further.filter { $0 != metric }
        if !others.isEmpty { objective["additionalMetricNames"] = .array(others.map(JSON.string)) }
        let names = search.parameters.compactMap { $0["name"].stringValue }
        // A template is asked for; what ran is not known. It shows the parameters and measures nothing.
        let words = ["echo"] + names.map { "\($0)=${trialParameters.\($0)}" }
        return [
            "apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment",
            "metadata": ["name": .string(name), "annotations": [ImportedExperiment.noProgramAnnotation: "true"]],
            "spec": [
                "objective": objective, "algorithm": ["algorithmName": "random"], "maxTrialCount": JSON(max(1, search.trials.count)),
                "parallelTrialCount": 1, "resumePolicy": "Never", "parameters": .array(search.parameters),
                "trialTemplate": [
                    "primaryContainerName": "none",
                    "trialParameters": .array(names.map { ["name": .string($0), "reference": .string($0)] }),
                    "trialSpec": [
                        "apiVersion": "batch/v1", "kind": "Job",
                        "spec": [
                            "template": [
                                "spec": [
                                    "restartPolicy": "Never",
                                    "containers": [["name": "none", "image": "busybox", "command": .array(words.map(JSON.string))]],
                                ]
                            ]
                        ],
                    ],
                ],
            ],
        ]
    }

    private static func condition(_ type: String, _ reason: String, _ message: String, _ time: String) -> JSON {
        [
            "type": .string(type), "status": "True", "reason": .string(reason), "message": .string(message), "lastUpdateTime": .string(time),
            "lastTransitionTime": .string(time),
        ]
    }

    private static func trial(_ trial: PastTrial, _ name: String, _ objective: JSON, _ run: JSON) -> JSON {
        let assigned = trial.parameters.sorted { $0.key < $1.key }.map { ["name": .string($0.key), "value": .string($0.value)] as JSON }
        let observed = trial.metrics.sorted { $0.key < $1.key }.map { name, value -> JSON in
            ["name": .string(name), "latest": .string(value), "min": .string(value), "max": .string(value)]
        }
        let ended = trial.completed.isEmpty ? Clock.now.description : trial.completed
        let type = ["Succeeded", "EarlyStopped", "Failed", "MetricsUnavailable", "Killed"].contains(trial.state) ? trial.state : "Failed"
        var status: JSON = ["conditions": [condition(type, "TrialImported", "Trial \(trial.name) ran elsewhere", ended)], "completionTime": .string(ended)]
        status["startTime"] = .string(trial.started.isEmpty ? ended : trial.started)
        if !observed.isEmpty { status["observation"] = ["metrics": .array(observed)] }
        return [
            "apiVersion": "kubeflow.org/v1beta1", "kind": "Trial", "metadata": ["name": .string(name)],
            "spec": ["objective": objective, "parameterAssignments": .array(assigned), "runSpec": run, "primaryContainerName": "none"],
            "status": status,
        ]
    }

    /// The Experiment's status as its trials make it.
    private static func status(of trials: [JSON], isMaximized: Bool, metric: String) -> JSON {
        let past = trials.map { PastTrial(trial: $0) }
        let end = past.map(\.completed).max() ?? Clock.now.description
        var status: JSON = [
            "conditions": [condition("Succeeded", "ExperimentMaxTrialsReached", "Experiment ran elsewhere and was imported", end)],
            "trials": JSON(trials.count), "startTime": .string(past.map(\.started).min() ?? end), "completionTime": .string(end),
        ]
        for (state, count, list) in [
            ("Succeeded", "trialsSucceeded", "succeededTrialList"), ("Failed", "trialsFailed", "failedTrialList"),
            ("EarlyStopped", "trialsEarlyStopped", "earlyStoppedTrialList"),
        ] {
            let names = past.filter { $0.state == state }.map { JSON.string($0.name) }
            if names.isEmpty { continue }
            status[count] = JSON(names.count)
            status[list] = .array(names)
        }
        let scored = past.indices.compactMap { index in past[index].value(of: metric).map { (index, $0) } }
        if let best = scored.max(by: { isMaximized ? $0.1 < $1.1 : $0.1 > $1.1 }) {
            let trial = trials[best.0]
            status["currentOptimalTrial"] = [
                "bestTrialName": trial["metadata"]["name"], "parameterAssignments": trial["spec"]["parameterAssignments"],
                "observation": trial["status"]["observation"],
            ]
        }
        return status
    }

    // MARK: Creation

    /// The Experiment first, since its trials go with it. Where anything is refused nothing is left.
    func create(in namespace: String, _ client: APIClient) async throws {
        let catalog = try await client.discover()
        let experiments = try catalog.find("experiments.kubeflow.org")
        let resource = try catalog.find("trials.kubeflow.org")
        let made = try await put(experiment, experiments, namespace, client) { _ in }
        do {
            for trial in trials {
                _ = try await put(trial, resource, namespace, client) { object in
                    object["metadata"]["labels"]["katib.kubeflow.org/experiment"] = .string(name)
                    object["metadata"]["ownerReferences"] = [
                        [
                            "apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "name": .string(name), "uid": made["metadata"]["uid"],
                            "controller": true, "blockOwnerDeletion": true,
                        ]
                    ]
                }
            }
        } catch {
            _ = try? await client.request(.DELETE, experiments.path(namespace: namespace, name: name))
            throw error
        }
    }

    private func put(
        _ object: JSON, _ resource: APIResource, _ namespace: String, _ client: APIClient, _ change: (inout JSON) -> Void
    ) async throws -> JSON {
        var object = object
        let status = object.remove("status") ?? .null
        object["metadata"]["annotations"][ImportedExperiment.annotation] = "true"
        change(&object)
        let made = try await client.request(.POST, resource.path(namespace: namespace), query: [("fieldManager", ObjectWriter.manager)], body: object)
        let path = resource.path(namespace: namespace, name: made["metadata"]["name"].stringValue, subresource: "status")
        // Where the status is refused, nothing is left.
        do {
            return try await client.request(.PATCH, path, body: ["status": status], contentType: "application/merge-patch+json")
        } catch {
            _ = try? await client.request(.DELETE, resource.path(namespace: namespace, name: made["metadata"]["name"].stringValue))
            throw error
        }
    }
}
