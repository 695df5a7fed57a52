import Catalogue
import KubeModel
import Registry

/// Checks an Experiment as Katib's webhook does, with its messages (pkg/webhook/v1beta1/experiment/validator).
struct ExperimentValidator {
    private let experiment: JSON
    private let old: JSON?
    private let context: KindRules.Context
    private var catalogue: Catalogue { context.catalogue }
    private var spec: JSON { experiment["spec"] }

    init(_ experiment: JSON, _ old: JSON?, _ context: KindRules.Context) {
        self.experiment = experiment
        self.old = old
        self.context = context
    }

    func causes() -> [APIStatus.Cause] {
        var causes = nameCauses() + budgetCauses()
        if let old { causes += updateCauses(old) }
        if spec["objective"].isNull { return causes + [.required("spec.objective", "must be specified")] }
        causes += objectiveCauses() + algorithmCauses() + earlyStoppingCauses()
        causes += templateCauses()
        let parameters = spec["parameters"].elements
        if parameters.isEmpty, spec["nasConfig"].isNull { causes.append(.required("spec", "spec.parameters or spec.nasConfig must be specified")) }
        if !parameters.isEmpty, !spec["nasConfig"].isNull {
            causes.append(.invalid("spec", "", "only one of spec.parameters and spec.nasConfig can be specified"))
        }
        for (index, parameter) in parameters.enumerated() { causes += Self.parameterCauses(parameter, "spec.parameters[\(index)]") }
        return causes + MetricsCollectorValidator(spec["metricsCollectorSpec"]).causes()
    }

    private func nameCauses() -> [APIStatus.Cause] {
        let name = experiment["metadata"]["name"].stringValue ?? ""
        if let first = name.utf8.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first), name.utf8.count <= 40 { return [] }
        let message =
            "name must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an "
            + "alphanumeric character (e.g. 'my-name', or 'abc-123', regex used for validation is '^[a-z]([-a-z0-9]*[a-z0-9])?)') "
            + "and may not be longer than 40 characters. "
        return [.invalid("metadata.name", .string(name), message)]
    }

    private func budgetCauses() -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        let maximum = spec["maxTrialCount"].intValue
        let failed = spec["maxFailedTrialCount"].intValue
        let parallel = spec["parallelTrialCount"].intValue
        if let failed, failed < 0 { causes.append(.invalid("spec.maxFailedTrialCount", JSON(failed), "should not be less than 0")) }
        if let maximum, maximum <= 0 { causes.append(.invalid("spec.maxTrialCount", JSON(maximum), "must be greater than 0")) }
        if let parallel, parallel <= 0 { causes.append(.invalid("spec.parallelTrialCount", JSON(parallel), "must be greater than 0")) }
        // Upstream's own example of pbt has 3 of 2. Where an experiment may go on with a larger budget, that says something.
        let mayGrow = ["LongRunning", "FromVolume"].contains(spec["resumePolicy"].stringValue ?? "")
        for (key, number) in [("maxFailedTrialCount", mayGrow ? nil : failed), ("parallelTrialCount", parallel)] {
            if let number, let maximum, number > maximum {
                causes.append(.invalid("spec.\(key)", JSON(number), "should be less than or equal to spec.maxTrialCount"))
            }
        }
        return causes
    }

    private func updateCauses(_ old: JSON) -> [APIStatus.Cause] {
        if spec == old["spec"] { return [] }
        var causes: [APIStatus.Cause] = []
        let conditions = old["status"]["conditions"].elements.filter { $0["status"].stringValue == "True" }
        let isCompleted = conditions.contains { ["Succeeded", "Failed"].contains($0["type"].stringValue ?? "") }
        let isRestartable =
            conditions.contains { $0["type"].stringValue == "Succeeded" && $0["reason"].stringValue == Wording.maxTrials.reason }
            && ["LongRunning", "FromVolume"].contains(old["spec"]["resumePolicy"].stringValue ?? "")
        if isCompleted, !isRestartable {
            let message =
                "Experiment can be restarted if it is in succeeded state by reaching max trials and spec.resumePolicy = LongRunning "
                + "or spec.resumePolicy = FromVolume, when experiment is completed"
            causes.append(.invalid("spec.resumePolicy", spec["resumePolicy"], message))
        }
        if let maximum = spec["maxTrialCount"].intValue, maximum <= old["status"]["trials"].intValue ?? 0 {
            causes.append(.invalid("spec.maxTrialCount", JSON(maximum), "must be greater than status.trials count"))
        }
        func fixed(_ spec: JSON) -> JSON {
            var spec = spec
            for key in ["maxFailedTrialCount", "maxTrialCount", "parallelTrialCount"] { spec.remove(key) }
            return spec
        }
        if fixed(spec) != fixed(old["spec"]) {
            causes.append(.forbidden("spec", "only spec.parallelTrialCount, spec.maxTrialCount and spec.maxFailedTrialCount are editable"))
        }
        return causes
    }

    private func objectiveCauses() -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        let objective = spec["objective"]
        let type = objective["type"].stringValue ?? ""
        if type != "minimize", type != "maximize" { causes.append(.invalid("spec.objective.type", .string(type), "must be minimize or maximize")) }
        let metric = objective["objectiveMetricName"].stringValue ?? ""
        if metric.isEmpty { causes.append(.required("spec.objective.objectiveMetricName", "must be specified")) }
        if objective["additionalMetricNames"].elements.contains(.string(metric)) {
            causes.append(
                .invalid(
                    "spec.objective.additionalMetricNames", objective["additionalMetricNames"],
                    "should not contain spec.objective.objectiveMetricName"))
        }
        return causes
    }

    private func algorithmCauses() -> [APIStatus.Cause] {
        let field = "spec.algorithm"
        if spec["algorithm"].isNull { return [.required(field, "must be specified")] }
        let name = spec["algorithm"]["algorithmName"].stringValue ?? ""
        return Self.nameCauses(field, name, Algorithms.names(KatibConfig(catalogue)), "Suggestion", "suggestion")
    }

    private func earlyStoppingCauses() -> [APIStatus.Cause] {
        if spec["earlyStopping"].isNull { return [] }
        let name = spec["earlyStopping"]["algorithmName"].stringValue ?? ""
        return Self.nameCauses("spec.earlyStopping", name, EarlyStopping.names(KatibConfig(catalogue)), "EarlyStopping", "early stopping")
    }

    private static func nameCauses(_ field: String, _ name: String, _ known: [String], _ kind: String, _ words: String) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        if name.isEmpty { causes.append(.required("\(field).algorithmName", "must be specified")) }
        if !known.contains(name) {
            let problem = "unable to get \(kind) config data for algorithm \(name): failed to find \(words) config for algorithm: \(name) in ConfigMap: "
            causes.append(
                .invalid("\(field).algorithmName", .string(name), "\(problem)katib-config; this lab has \(known.joined(separator: ", "))"))
        }
        return causes
    }

    // MARK: The trial template

    private func templateCauses() -> [APIStatus.Cause] {
        let field = "spec.trialTemplate"
        let template = spec["trialTemplate"]
        if template.isNull { return [.required(field, "must be specified")] }
        var causes: [APIStatus.Cause] = []
        if (template["primaryContainerName"].stringValue ?? "").isEmpty { causes.append(.required("\(field).primaryContainerName", "must be specified")) }
        if (template["successCondition"].stringValue ?? "").isEmpty || (template["failureCondition"].stringValue ?? "").isEmpty {
            causes.append(.required(field, "successCondition and failureCondition must be specified"))
        }
        if template["trialParameters"].isNull { return causes + [.required("\(field).trialParameters", "must be specified")] }
        let source = template["configMap"]
        if template["trialSpec"].isNull, source.isNull {
            return causes + [.required("\(field).TrialSource", "spec.trialTemplate.trialSpec or spec.trialTemplate.configMap must be specified")]
        }
        if !template["trialSpec"].isNull, !source.isNull {
            return causes + [.required(field, "only one of spec.trialTemplate.trialSpec or spec.trialTemplate.configMap can be specified")]
        }
        let keys = ["configMapName", "configMapNamespace", "templatePath"]
        if !source.isNull, keys.contains(where: { (source[$0].stringValue ?? "").isEmpty }) {
            return causes + [.required("\(field).configMap", "configMapName, configMapNamespace and templatePath must be specified")]
        }
        do throws(TrialTemplate.Problem) {
            let text = try TrialTemplate.text(of: experiment, catalogue: catalogue)
            return causes + parameterReferenceCauses(in: text)
        } catch {
            return causes + [.invalid(field, "", "unable to parse spec.trialTemplate: \(error)")]
        }
    }

    private func parameterReferenceCauses(in template: String) -> [APIStatus.Cause] {
        let field = "spec.trialTemplate.trialParameters"
        var causes: [APIStatus.Cause] = []
        var text = template
        let known = Set(spec["parameters"].elements.compactMap { $0["name"].stringValue })
        var names: Set<String> = []
        var references: Set<String> = []
        for (index, parameter) in spec["trialTemplate"]["trialParameters"].elements.enumerated() {
            let name = parameter["name"].stringValue ?? ""
            let reference = parameter["reference"].stringValue ?? ""
            if name.isEmpty || reference.isEmpty || name.contains("{") || name.contains("}") {
                causes.append(.invalid("\(field)[\(index)]", "", "name and reference must be specified and name must not contain '{' or '}'"))
                continue
            }
            if !names.insert(name).inserted {
                causes.append(.invalid("\(field)[\(index)].name", .string(name), "parameter name \(name) can't be duplicated in \(field)"))
                continue
            }
            if !references.insert(reference).inserted {
                causes.append(
                    .invalid("\(field)[\(index)].reference", .string(reference), "parameter reference \(reference) can't be duplicated in \(field)"))
                continue
            }
            let isMeta = TrialTemplate.metaReference(reference).map(TrialTemplate.isMetaKey) ?? false
            if !known.isEmpty, !isMeta, !known.contains(reference) {
                let message = "parameter reference \(reference) does not exist in spec.parameters: \(known.sorted())"
                causes.append(.invalid("\(field)[\(index)].reference", .string(reference), message))
            }
            let placeholder = "${trialParameters.\(name)}"
            // Upstream's own example of a Tekton PipelineRun fails here. A kind that is not served is waited for anyway.
            if !text.contains(placeholder), !isServed(template) { continue }
            guard text.contains(placeholder) else {
                let message = "parameter name: \(name) in spec.trialParameters not found in spec.trialTemplate: \(template.prefix(500))"
                return causes + [.invalid("\(field)[\(index)].name", .string(name), message)]
            }
            text = TrialTemplate.replace(placeholder, with: "test-value", in: text)
        }
        return causes + runSpecCauses(text)
    }

    /// Whether the template's kind is one of the lab's own or of a CustomResourceDefinition.
    private func isServed(_ template: String) -> Bool {
        guard let run = try? TrialTemplate.object(from: template), let version = run["apiVersion"].stringValue else { return true }
        let group = version.contains("/") ? String(version.prefix { $0 != "/" }) : ""
        guard group.contains("."), !["kubeflow.org", "argoproj.io"].contains(group) else { return true }
        return catalogue.list(.customResourceDefinitions).objects.contains {
            $0.spec["group"].stringValue == group && $0.spec["names"]["kind"] == run["kind"]
        }
    }

    private func runSpecCauses(_ text: String) -> [APIStatus.Cause] {
        let field = "spec.trialTemplate"
        var causes: [APIStatus.Cause] = []
        let unknown = text.ranges(of: "${trialParameters.").map { "\(text[$0.lowerBound...].prefix { $0 != "}" }.prefix(100))}" }
        if !unknown.isEmpty {
            let names = spec["trialTemplate"]["trialParameters"].elements.compactMap { $0["name"].stringValue }
            causes.append(
                .invalid(
                    field, "",
                    "parameters: [\(unknown.prefix(20).joined(separator: " "))] in spec.trialTemplate not found in spec.trialParameters: \(names)"))
        }
        guard let run = try? TrialTemplate.object(from: text) else {
            return causes + [.invalid(field, "", "unable to convert spec.trialTemplate: \(text.prefix(500)) to unstructured")]
        }
        if !(run["metadata"]["name"].stringValue ?? "").isEmpty || !(run["metadata"]["namespace"].stringValue ?? "").isEmpty {
            causes.append(.invalid(field, "", "metadata.name and metadata.namespace in spec.trialTemplate must be omitted"))
        }
        if (run["apiVersion"].stringValue ?? "").isEmpty || (run["kind"].stringValue ?? "").isEmpty {
            causes.append(.required(field, "APIVersion and Kind in spec.trialTemplate must be specified"))
        }
        return causes + jobCauses(run)
    }

    /// A Job is judged before there is one; other kinds are not (upstream: `validateTrialJob`).
    private func jobCauses(_ run: JSON) -> [APIStatus.Cause] {
        guard run["apiVersion"].stringValue == "batch/v1", run["kind"].stringValue == "Job", let schema = context.kind(run)?.schema else { return [] }
        func cause(_ problem: String) -> APIStatus.Cause { .invalid("spec.trialTemplate", "", "invalid spec.trialTemplate: unable to convert: \(problem)") }
        if let problem = schema.decodingError(in: run) { return [cause("\(run.text.prefix(500)) to Job: \(problem)")] }
        let unknown = schema.unknownFields(in: run)
        return unknown.isEmpty ? [] : [cause("\(unknown.prefix(20).joined(separator: ", ")) to Job, converted template: \(run.text.prefix(500))")]
    }

    // MARK: Parameters

    private static func parameterCauses(_ parameter: JSON, _ field: String) -> [APIStatus.Cause] {
        let type = parameter["parameterType"].stringValue ?? ""
        let space = parameter["feasibleSpace"]
        var causes: [APIStatus.Cause] = []
        if !["int", "double", "categorical", "discrete", "unknown"].contains(type) {
            causes.append(.invalid("\(field).parameterType", .string(type), "parameterType: \(type) is not supported"))
        }
        let distribution = space["distribution"].stringValue ?? "uniform"
        if !["uniform", "logUniform", "normal", "logNormal", "unknown"].contains(distribution) {
            causes.append(
                .invalid("\(field).feasibleSpace.distribution", .string(distribution), "distribution: \(distribution) is not supported"))
        }
        var content = space
        content.remove("distribution")
        if content.members.isEmpty { return causes + [.required("\(field).feasibleSpace", "feasibleSpace must be specified")] }
        func isSet(_ key: String) -> Bool { !(space[key].stringValue ?? "").isEmpty }
        switch type {
        case "int", "double":
            if !space["list"].elements.isEmpty {
                causes.append(
                    .invalid("\(field).feasibleSpace.list", space["list"], "feasibleSpace.list is not supported for parameterType: \(type)"))
            }
            if !isSet("max") || !isSet("min") {
                causes.append(
                    .required(
                        "\(field).feasibleSpace.max", "feasibleSpace.max or feasibleSpace.min must be specified for parameterType: \(type)"))
            }
        case "categorical", "discrete":
            if isSet("max") || isSet("min") || isSet("step") {
                causes.append(
                    .invalid(
                        "\(field).feasibleSpace", "", "feasibleSpace .max, .min and .step is not supported for parameterType: \(type)"))
            }
        default: break
        }
        return causes
    }
}
