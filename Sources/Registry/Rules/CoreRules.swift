import Catalogue
import KubeModel

/// The rules of kinds that no part above the Registry owns.
enum CoreRules {
    static let all: [GroupResource: KindRules] = [
        .namespaces: KindRules(applyDefaults: namespaceDefaults),
        .pods: KindRules(applyDefaults: PodRules.applyDefaults, validate: PodRules.validate, deletesGracefully: true),
        .configMaps: KindRules(validate: DataRules.validateConfigMap),
        .secrets: KindRules(applyDefaults: secretDefaults, validate: DataRules.validateSecret),
        .persistentVolumes: KindRules(validate: VolumeUpdateRules.validate),
        .persistentVolumeClaims: KindRules(applyDefaults: ClaimRules.applyDefaults, validate: ClaimRules.validate),
        .services: KindRules(applyDefaults: NetworkRules.serviceDefaults, validate: NetworkRules.validateService),
        .ingresses: KindRules(validate: NetworkRules.validateIngress),
        .endpointSlices: KindRules(validate: NetworkRules.validateSlice),
        .deployments: KindRules(validate: ControllerRules.validateDeployment),
        .replicaSets: KindRules(validate: ControllerRules.validateReplicaSet),
        .daemonSets: KindRules(applyDefaults: DaemonSetGeneration.applyDefaults, validate: ControllerRules.validateDaemonSet),
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
        .nodes: KindRules(validate: NodeRules.validate),
        .roles: KindRules(validate: RoleRules.validateRole),
        .roleBindings: KindRules(validate: RoleRules.validateBinding),
        .clusterRoleBindings: KindRules(validate: RoleRules.validateClusterBinding),
        .mutatingWebhookConfigurations: KindRules(validate: WebhookRules.validateMutating),
        .validatingWebhookConfigurations: KindRules(validate: WebhookRules.validateValidating),
        .validatingAdmissionPolicies: KindRules(validate: AdmissionPolicyRules.validatePolicy),
        .validatingAdmissionPolicyBindings: KindRules(validate: AdmissionPolicyRules.validateBinding),
        .certificateSigningRequests: KindRules(validate: CertificateRules.validate),
        .runtimeClasses: KindRules(validate: RuntimeClassRules.validate),
        .flowSchemas: KindRules(validate: FlowControlRules.validateSchema),
        .priorityLevels: KindRules(validate: FlowControlRules.validateLevel),
        .apiServices: KindRules(validate: APIServiceRules.validate),
        .customResourceDefinitions: KindRules(
            applyDefaults: DefinitionRules.applyDefaults, validate: DefinitionRules.validate),
    ]

    /// The `kubernetes` finalizer keeps a namespace until its content is gone; the name is a label for selectors.
    private static func namespaceDefaults(_ object: inout JSON, _ old: JSON?, _ context: KindRules.Context) {
        if old == nil {
            let finalizers = object["spec"]["finalizers"].elements
            if !finalizers.contains("kubernetes") { object["spec"]["finalizers"] = .array(finalizers + ["kubernetes"]) }
        }
        object["metadata"]["labels"]["kubernetes.io/metadata.name"] = object["metadata"]["name"]
        if object["status"].isNull { object["status"] = ["phase": "Active"] }
    }

    /// `stringData` is write-only: it ends up in `data`.
    private static func secretDefaults(_ object: inout JSON, _ old: JSON?, _ context: KindRules.Context) {
        guard let texts = object.remove("stringData") else { return }
        for (key, value) in texts.members { object["data"][key] = .string(Base64.encode(value.stringValue ?? "")) }
    }
}
