import Catalogue
import KubeModel

/// The rules of kinds that no part above the Registry owns.
enum CoreRules {
    static let all: [GroupResource: KindRules] = [
        .namespaces: KindRules(applyDefaults: namespaceDefaults),
        .pods: KindRules(applyDefaults: PodRules.applyDefaults, validate: PodRules.validate, deletesGracefully: true),
        .configMaps: KindRules(validate: immutableData("ConfigMap")),
        .secrets: KindRules(applyDefaults: secretDefaults, validate: immutableData("Secret")),
        .persistentVolumeClaims: KindRules(applyDefaults: ClaimRules.applyDefaults, validate: ClaimRules.validate),
        .services: KindRules(applyDefaults: NetworkRules.serviceDefaults, validate: NetworkRules.validateService),
        .ingresses: KindRules(validate: NetworkRules.validateIngress),
        .endpointSlices: KindRules(validate: NetworkRules.validateSlice),
        .deployments: KindRules(validate: ControllerRules.validateDeployment),
        .replicaSets: KindRules(validate: ControllerRules.validateReplicaSet),
        .daemonSets: KindRules(validate: ControllerRules.validateDaemonSet),
        .replicationControllers: KindRules(validate: ControllerRules.validateReplicationController),
        .controllerRevisions: KindRules(validate: ControllerRules.validateRevision),
        .podTemplates: KindRules(validate: { object, _, _ in PodRules.validateTemplate(object["template"], "template") }),
        .cronJobs: KindRules(validate: CronJobRules.validate),
        .podDisruptionBudgets: KindRules(validate: PolicyRules.validateBudget),
        .horizontalPodAutoscalers: KindRules(validate: PolicyRules.validateAutoscaler),
        .priorityClasses: KindRules(validate: PolicyRules.validatePriorityClass),
        .limitRanges: KindRules(validate: PolicyRules.validateLimitRange),
        .resourceQuotas: KindRules(validate: PolicyRules.validateQuota),
        .storageClasses: KindRules(validate: StorageRules.validateClass),
        .statefulSets: KindRules(validate: WorkloadRules.validateStatefulSet),
        .jobs: KindRules(applyDefaults: JobRules.applyDefaults, validate: JobRules.validate),
        .mutatingWebhookConfigurations: KindRules(validate: WebhookRules.validateMutating),
        .validatingWebhookConfigurations: KindRules(validate: WebhookRules.validateValidating),
        .validatingAdmissionPolicies: KindRules(validate: AdmissionPolicyRules.validatePolicy),
        .validatingAdmissionPolicyBindings: KindRules(validate: AdmissionPolicyRules.validateBinding),
        .customResourceDefinitions: KindRules(
            applyDefaults: DefinitionRules.applyDefaults, validate: DefinitionRules.validate, warnings: DefinitionRules.warnings),
    ]

    /// The `kubernetes` finalizer keeps a namespace until its content is gone; the name is a label for selectors.
    private static func namespaceDefaults(_ object: inout JSON, _ old: JSON?, _ context: KindRules.Context) {
        if old == nil { object["spec"]["finalizers"] = ["kubernetes"] } else if let old { object["spec"] = object["spec"].isNull ? old["spec"] : object["spec"] }
        object["metadata"]["labels"]["kubernetes.io/metadata.name"] = object["metadata"]["name"]
        if object["status"].isNull { object["status"] = ["phase": "Active"] }
    }

    /// `stringData` is write-only: it ends up in `data`.
    private static func secretDefaults(_ object: inout JSON, _ old: JSON?, _ context: KindRules.Context) {
        guard let texts = object.remove("stringData") else { return }
        for (key, value) in texts.members { object["data"][key] = .string(Base64.encode(value.stringValue ?? "")) }
    }

    private static func immutableData(_ kind: String) -> @Sendable (JSON, JSON?, KindRules.Context) -> [APIStatus.Cause] {
        { object, old, _ in
            var causes: [APIStatus.Cause] = []
            for (key, value) in object["data"].members {
                causes += Names.configMapKey(key).map { .invalid("data[\(key)]", .string(key), $0) }
                if kind == "Secret", Base64.decode(value.stringValue ?? "") == nil {
                    causes.append(.invalid("data[\(key)]", "<redacted>", "must be base64-encoded"))
                }
            }
            if kind == "Secret", let old, old["type"] != object["type"] { causes.append(.invalid("type", object["type"], "field is immutable")) }
            guard let old, old["immutable"].boolValue == true else { return causes }
            if object["immutable"].boolValue != true { causes.append(.forbidden("immutable", "field is immutable when `immutable` is set")) }
            if object["data"] != old["data"] { causes.append(.forbidden("data", "field is immutable when `immutable` is set")) }
            if object["binaryData"] != old["binaryData"] {
                causes.append(.forbidden("binaryData", "field is immutable when `immutable` is set"))
            }
            return causes
        }
    }
}

/// PersistentVolumeClaims: the default class, and what may change.
enum ClaimRules {
    static let defaultClass = "storageclass.kubernetes.io/is-default-class"

    static func applyDefaults(_ object: inout JSON, _ old: JSON?, _ context: KindRules.Context) throws(APIStatus) {
        try LimitRanger.admit(claim: object, context)
        if old == nil, object["spec"]["storageClassName"].isNull {
            let classes = context.catalogue.list(.storageClasses).objects.filter { $0.annotations[defaultClass] == "true" }
            // The newest of several defaults wins, as upstream decides.
            if let chosen = classes.max(by: { ($0.metadata["creationTimestamp"].stringValue ?? "") < ($1.metadata["creationTimestamp"].stringValue ?? "") }) {
                object["spec"]["storageClassName"] = .string(chosen.name)
            }
        }
        if old == nil { object["status"] = ["phase": "Pending"] }
    }

    static func validate(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        if object["spec"]["accessModes"].elements.isEmpty { causes.append(.required("spec.accessModes", "at least 1 access mode is required")) }
        let storage = object["spec"]["resources"]["requests"]["storage"]
        if storage.isNull {
            causes.append(.required("spec.resources[storage]"))
        } else if let size = Quantity(storage), size <= .zero {
            causes.append(.invalid("spec.resources[storage]", storage, "must be greater than zero"))
        }
        guard let old else { return causes }
        var before = old["spec"]
        var after = object["spec"]
        let isBound = old["status"]["phase"].stringValue == "Bound"
        for key in isBound ? ["resources", "volumeName", "volumeAttributesClassName"] : ["volumeName"] {
            before.remove(key)
            after.remove(key)
        }
        if isBound, let size = Quantity(storage), let asked = Quantity(old["spec"]["resources"]["requests"]["storage"]), size < asked {
            causes.append(.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity"))
        }
        if before != after {
            causes.append(.forbidden("spec", "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"))
        }
        return causes
    }
}

/// StorageClasses: what a class does cannot change under the volumes it made (pkg/apis/storage/validation).
enum StorageRules {
    static func validateClass(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        if (object["provisioner"].stringValue ?? "").isEmpty { causes.append(.required("provisioner")) }
        guard let old else { return causes }
        for field in ["parameters", "provisioner", "reclaimPolicy"] where old[field] != object[field] {
            causes.append(.forbidden(field, "updates to \(field) are forbidden."))
        }
        if old["volumeBindingMode"] != object["volumeBindingMode"] {
            causes.append(.invalid("volumeBindingMode", object["volumeBindingMode"], "field is immutable"))
        }
        return causes
    }
}
