import Catalogue
import KubeModel

/// What works but deserves a word, for each built-in kind (upstream: `WarningsOnCreate` and `WarningsOnUpdate` of the
/// strategies below pkg/registry).
enum KindWarnings {
    typealias Rule = @Sendable (_ object: JSON, _ old: JSON?) -> [String]

    static let all: [GroupResource: Rule] = [
        // Nobody changes pods by hand, so upstream judges new ones alone.
        .pods: { object, old in old == nil ? name(object, of: "the Pod's hostname") + PodWarnings.all(object) : [] },
        .podTemplates: { object, old in isChanged(object, old) ? PodWarnings.all(object["template"], at: "template") : [] },
        .deployments: workload(isNamed: true), .replicaSets: workload(isNamed: true), .replicationControllers: workload(isNamed: true),
        .daemonSets: workload(isNamed: false),
        .statefulSets: { object, old in workload(isNamed: false)(object, old) + statefulSet(object) },
        .jobs: { object, old in newName(object, old) + (isChanged(object, old) ? job(object["spec"], at: "spec") : []) },
        .cronJobs: cronJob,
        .services: { object, _ in ServiceWarnings.all(object) },
        .persistentVolumes: { object, _ in VolumeWarnings.persistentVolume(object) },
        .persistentVolumeClaims: { object, _ in VolumeWarnings.claim(object) },
        .storageClasses: { object, _ in storageClass(object) },
        GroupResource("csistoragecapacities", group: "storage.k8s.io"): { object, _ in
            NodeLabelWarnings.selector(object["nodeTopology"], at: "nodeTopology")
        },
        .runtimeClasses: { object, _ in
            object["scheduling"]["nodeSelector"].members.keys.compactMap { NodeLabelWarnings.deprecated[$0].map { "scheduling.nodeSelector: \($0)" } }
        },
        .nodes: { object, _ in node(object) },
        .serviceAccounts: { object, _ in serviceAccount(object) },
        .ingresses: { object, old in old == nil ? ingress(object) : [] },
        .customResourceDefinitions: { object, _ in definition(object) },
    ]

    /// Fields are looked at again where the user changed some.
    private static func isChanged(_ object: JSON, _ old: JSON?) -> Bool {
        guard let old else { return true }
        return object["metadata"]["generation"] != old["metadata"]["generation"]
    }

    private static func name(_ object: JSON, of what: String) -> [String] {
        let problems = Names.dns1123Label(object["metadata"]["name"].stringValue ?? "")
        if problems.isEmpty { return [] }
        let consequence = "which can result in surprising behavior; a DNS label is recommended"
        return ["metadata.name: this is used in \(what), \(consequence): [\(problems.joined(separator: " "))]"]
    }

    private static func newName(_ object: JSON, _ old: JSON?) -> [String] { old == nil ? name(object, of: "Pod names and hostnames") : [] }

    private static func workload(isNamed: Bool) -> Rule {
        { object, old in
            (isNamed ? newName(object, old) : []) + (isChanged(object, old) ? PodWarnings.all(object["spec"]["template"], at: "spec.template") : [])
        }
    }

    private static func statefulSet(_ object: JSON) -> [String] {
        var found = object["spec"]["volumeClaimTemplates"].elements.enumerated().flatMap { index, claim in
            VolumeWarnings.claimSpec(claim["spec"], at: "spec.volumeClaimTemplates[\(index)].spec")
        }
        if let limit = object["spec"]["revisionHistoryLimit"].intValue, limit < 0 {
            found.append("spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended")
        }
        return found
    }

    private static func job(_ spec: JSON, at path: String) -> [String] {
        var found: [String] = []
        if spec["completionMode"] == "Indexed", spec["completions"].intValue ?? 0 > 100_000, spec["parallelism"].intValue ?? 0 > 10_000 {
            found.append(
                "\(path): In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not "
                    + "be able to track completedIndexes when a big number of indexes fail")
        }
        return found + PodWarnings.all(spec["template"], at: "\(path).template")
    }

    private static let cronJob: Rule = { object, old in
        var found = newName(object, old)
        if isChanged(object, old) { found += job(object["spec"]["jobTemplate"]["spec"], at: "spec.jobTemplate.spec") }
        if old != nil, (object["spec"]["schedule"].stringValue ?? "").contains("TZ") {
            found.append(
                "cannot use TZ or CRON_TZ in spec.schedule, use timeZone instead, see "
                    + "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details")
        }
        return found
    }

    private static func storageClass(_ object: JSON) -> [String] {
        object["allowedTopologies"].elements.enumerated().flatMap { index, topology in
            topology["matchLabelExpressions"].elements.enumerated().compactMap { place, expression in
                NodeLabelWarnings.deprecated[expression["key"].stringValue ?? ""].map {
                    "allowedTopologies[\(index)].matchLabelExpressions[\(place)].key: \($0)"
                }
            }
        }
    }

    private static func node(_ object: JSON) -> [String] {
        var found: [String] = []
        if !object["spec"]["configSource"].isNull { found.append("spec.configSource: the feature is no longer supported") }
        if !(object["spec"]["externalID"].stringValue ?? "").isEmpty {
            found.append("spec.externalID: this field is deprecated, and is unused by Kubernetes")
        }
        return found
    }

    private static func serviceAccount(_ object: JSON) -> [String] {
        let key = "kubernetes.io/enforce-mountable-secrets"
        guard object["metadata"]["annotations"].has(key) else { return [] }
        return ["metadata.annotations[\(key)]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"]
    }

    private static func ingress(_ object: JSON) -> [String] {
        let key = "kubernetes.io/ingress.class"
        return object["metadata"]["annotations"].has(key) ? ["annotation \"\(key)\" is deprecated, please use 'spec.ingressClassName' instead"] : []
    }

    // MARK: Custom kinds

    /// Formats that upstream checks (apiextensions/pkg/apiserver/validation/formats.go), and those of numbers.
    private static let formats: Set<String> = [
        "bsonobjectid", "uri", "email", "hostname", "ipv4", "ipv6", "cidr", "mac", "uuid", "uuid3", "uuid4", "uuid5", "isbn", "isbn10", "isbn13",
        "creditcard", "ssn", "hexcolor", "rgbcolor", "byte", "password", "date", "duration", "datetime", "date-time", "int32", "int64", "float", "double",
        "k8s-short-name", "k8s-long-name",
    ]

    private static func definition(_ object: JSON) -> [String] {
        var unknown: [String] = []
        for version in object["spec"]["versions"].elements { collect(version["schema"]["openAPIV3Schema"], &unknown) }
        return unknown.map { "unrecognized format \(JSON.quoted($0))" }
    }

    private static func collect(_ schema: JSON, _ unknown: inout [String]) {
        guard schema.objectValue != nil else { return }
        if let format = schema["format"].stringValue, !format.isEmpty, !formats.contains(format), !unknown.contains(format) { unknown.append(format) }
        for child in schema["properties"].members.values { collect(child, &unknown) }
        collect(schema["items"], &unknown)
        collect(schema["additionalProperties"], &unknown)
    }

    private static let commonFinalizers: Set<String> = ["orphan", "foregroundDeletion", "kubernetes"]

    /// Of objects of custom kinds upstream judges the finalizers that are new (customresource/strategy.go).
    static func finalizers(_ object: JSON, old: JSON?) -> [String] {
        func names(_ object: JSON?) -> Set<String> { Set((object ?? .null)["metadata"]["finalizers"].elements.compactMap(\.stringValue)) }
        return names(object).subtracting(names(old)).sorted().flatMap { name in
            var problems = Names.qualifiedName(name)
            if !name.contains("/"), !commonFinalizers.contains(name) {
                problems.append(
                    "prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other finalizer writers")
            }
            return problems.map { "metadata.finalizers: \(JSON.quoted(name)): \($0)" }
        }
    }
}
