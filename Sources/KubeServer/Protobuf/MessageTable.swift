// Made by etc/protobuf/derive: run it again rather than to edit this file.

/// Field numbers of Kubernetes' protobuf messages. A line is a message: its name, then NUMBER:JSON-NAME:TYPE[:FLAGS] for each field.
/// TYPE is s string, b bool, i integer, f double, y bytes, Q quantity, I int-or-string, T time, U time with microseconds, D duration,
/// F managed fields, R raw JSON, or a message's name; * before it is a list, % a map from strings, [ a message that is a list in JSON.
/// FLAGS are p for a Go pointer (its zero is a value) and o for `omitempty`. A field without a name lies inline in its parent.
enum MessageTable {
    static let text = """
        apps/v1.ControllerRevision 1:metadata:meta/v1.ObjectMeta:o 2:data:R 3:revision:i
        apps/v1.DaemonSet 1:metadata:meta/v1.ObjectMeta:o 2:spec:apps/v1.DaemonSetSpec:o 3:status:apps/v1.DaemonSetStatus:o
        apps/v1.DaemonSetCondition 1:type:s 2:status:s 3:lastTransitionTime:T:o 4:reason:s:o 5:message:s:o
        apps/v1.DaemonSetSpec 1:selector:meta/v1.LabelSelector:p 2:template:core/v1.PodTemplateSpec 3:updateStrategy:apps/v1.DaemonSetUpdateStrategy:o 4:minReadySeconds:i:o 6:revisionHistoryLimit:i:po
        apps/v1.DaemonSetStatus 1:currentNumberScheduled:i 2:numberMisscheduled:i 3:desiredNumberScheduled:i 4:numberReady:i 5:observedGeneration:i:o 6:updatedNumberScheduled:i:o 7:numberAvailable:i:o 8:numberUnavailable:i:o 9:collisionCount:i:po 10:conditions:*apps/v1.DaemonSetCondition:o
        apps/v1.DaemonSetUpdateStrategy 1:type:s:o 2:rollingUpdate:apps/v1.RollingUpdateDaemonSet:po
        apps/v1.Deployment 1:metadata:meta/v1.ObjectMeta:o 2:spec:apps/v1.DeploymentSpec:o 3:status:apps/v1.DeploymentStatus:o
        apps/v1.DeploymentCondition 1:type:s 2:status:s 6:lastUpdateTime:T:o 7:lastTransitionTime:T:o 4:reason:s:o 5:message:s:o
        apps/v1.DeploymentSpec 1:replicas:i:po 2:selector:meta/v1.LabelSelector:p 3:template:core/v1.PodTemplateSpec 4:strategy:apps/v1.DeploymentStrategy:o 5:minReadySeconds:i:o 6:revisionHistoryLimit:i:po 7:paused:b:o 9:progressDeadlineSeconds:i:po
        apps/v1.DeploymentStatus 1:observedGeneration:i:o 2:replicas:i:o 3:updatedReplicas:i:o 7:readyReplicas:i:o 4:availableReplicas:i:o 5:unavailableReplicas:i:o 9:terminatingReplicas:i:po 6:conditions:*apps/v1.DeploymentCondition:o 8:collisionCount:i:po
        apps/v1.DeploymentStrategy 1:type:s:o 2:rollingUpdate:apps/v1.RollingUpdateDeployment:po
        apps/v1.ReplicaSet 1:metadata:meta/v1.ObjectMeta:o 2:spec:apps/v1.ReplicaSetSpec:o 3:status:apps/v1.ReplicaSetStatus:o
        apps/v1.ReplicaSetCondition 1:type:s 2:status:s 3:lastTransitionTime:T:o 4:reason:s:o 5:message:s:o
        apps/v1.ReplicaSetSpec 1:replicas:i:po 4:minReadySeconds:i:o 2:selector:meta/v1.LabelSelector:p 3:template:core/v1.PodTemplateSpec:o
        apps/v1.ReplicaSetStatus 1:replicas:i 2:fullyLabeledReplicas:i:o 4:readyReplicas:i:o 5:availableReplicas:i:o 7:terminatingReplicas:i:po 3:observedGeneration:i:o 6:conditions:*apps/v1.ReplicaSetCondition:o
        apps/v1.RollingUpdateDaemonSet 1:maxUnavailable:I:po 2:maxSurge:I:po
        apps/v1.RollingUpdateDeployment 1:maxUnavailable:I:po 2:maxSurge:I:po
        apps/v1.RollingUpdateStatefulSetStrategy 1:partition:i:po 2:maxUnavailable:I:po
        apps/v1.StatefulSet 1:metadata:meta/v1.ObjectMeta:o 2:spec:apps/v1.StatefulSetSpec:o 3:status:apps/v1.StatefulSetStatus:o
        apps/v1.StatefulSetCondition 1:type:s 2:status:s 3:lastTransitionTime:T:o 4:reason:s:o 5:message:s:o
        apps/v1.StatefulSetOrdinals 1:start:i
        apps/v1.StatefulSetPersistentVolumeClaimRetentionPolicy 1:whenDeleted:s:o 2:whenScaled:s:o
        apps/v1.StatefulSetSpec 1:replicas:i:po 2:selector:meta/v1.LabelSelector:p 3:template:core/v1.PodTemplateSpec 4:volumeClaimTemplates:*core/v1.PersistentVolumeClaim:o 5:serviceName:s 6:podManagementPolicy:s:o 7:updateStrategy:apps/v1.StatefulSetUpdateStrategy:o 8:revisionHistoryLimit:i:po 9:minReadySeconds:i:o 10:persistentVolumeClaimRetentionPolicy:apps/v1.StatefulSetPersistentVolumeClaimRetentionPolicy:po 11:ordinals:apps/v1.StatefulSetOrdinals:po
        apps/v1.StatefulSetStatus 1:observedGeneration:i:o 2:replicas:i 3:readyReplicas:i:o 4:currentReplicas:i:o 5:updatedReplicas:i:o 6:currentRevision:s:o 7:updateRevision:s:o 9:collisionCount:i:po 10:conditions:*apps/v1.StatefulSetCondition:o 11:availableReplicas:i
        apps/v1.StatefulSetUpdateStrategy 1:type:s:o 2:rollingUpdate:apps/v1.RollingUpdateStatefulSetStrategy:po
        authentication/v1.AttestationValue 1:items:*s
        authentication/v1.BoundObjectReference 1:kind:s:o 2:apiVersion:s:o 3:name:s:o 4:uid:s:o
        authentication/v1.ExtraValue 1:items:*s
        authentication/v1.SelfSubjectReview 1:metadata:meta/v1.ObjectMeta:o 2:status:authentication/v1.SelfSubjectReviewStatus:o
        authentication/v1.SelfSubjectReviewStatus 1:userInfo:authentication/v1.UserInfo:o
        authentication/v1.TokenRequest 1:metadata:meta/v1.ObjectMeta:o 2:spec:authentication/v1.TokenRequestSpec 3:status:authentication/v1.TokenRequestStatus:o
        authentication/v1.TokenRequestSpec 1:audiences:*s 4:expirationSeconds:i:p 3:boundObjectRef:authentication/v1.BoundObjectReference:p 5:attestations:%[authentication/v1.AttestationValue:o
        authentication/v1.TokenRequestStatus 1:token:s 2:expirationTimestamp:T
        authentication/v1.TokenReview 1:metadata:meta/v1.ObjectMeta:o 2:spec:authentication/v1.TokenReviewSpec 3:status:authentication/v1.TokenReviewStatus:o
        authentication/v1.TokenReviewSpec 1:token:s:o 2:audiences:*s:o
        authentication/v1.TokenReviewStatus 1:authenticated:b:o 2:user:authentication/v1.UserInfo:o 4:audiences:*s:o 3:error:s:o
        authentication/v1.UserInfo 1:username:s:o 2:uid:s:o 3:groups:*s:o 4:extra:%[authentication/v1.ExtraValue:o
        authorization/v1.ExtraValue 1:items:*s
        authorization/v1.FieldSelectorAttributes 1:rawSelector:s:o 2:requirements:*meta/v1.FieldSelectorRequirement:o
        authorization/v1.LabelSelectorAttributes 1:rawSelector:s:o 2:requirements:*meta/v1.LabelSelectorRequirement:o
        authorization/v1.LocalSubjectAccessReview 1:metadata:meta/v1.ObjectMeta:o 2:spec:authorization/v1.SubjectAccessReviewSpec 3:status:authorization/v1.SubjectAccessReviewStatus:o
        authorization/v1.NonResourceAttributes 1:path:s:o 2:verb:s:o
        authorization/v1.NonResourceRule 1:verbs:*s 2:nonResourceURLs:*s:o
        authorization/v1.ResourceAttributes 1:namespace:s:o 2:verb:s:o 3:group:s:o 4:version:s:o 5:resource:s:o 6:subresource:s:o 7:name:s:o 8:fieldSelector:authorization/v1.FieldSelectorAttributes:po 9:labelSelector:authorization/v1.LabelSelectorAttributes:po
        authorization/v1.ResourceRule 1:verbs:*s 2:apiGroups:*s:o 3:resources:*s:o 4:resourceNames:*s:o
        authorization/v1.SelfSubjectAccessReview 1:metadata:meta/v1.ObjectMeta:o 2:spec:authorization/v1.SelfSubjectAccessReviewSpec 3:status:authorization/v1.SubjectAccessReviewStatus:o
        authorization/v1.SelfSubjectAccessReviewSpec 1:resourceAttributes:authorization/v1.ResourceAttributes:po 2:nonResourceAttributes:authorization/v1.NonResourceAttributes:po
        authorization/v1.SelfSubjectRulesReview 1:metadata:meta/v1.ObjectMeta:o 2:spec:authorization/v1.SelfSubjectRulesReviewSpec 3:status:authorization/v1.SubjectRulesReviewStatus:o
        authorization/v1.SelfSubjectRulesReviewSpec 1:namespace:s:o
        authorization/v1.SubjectAccessReview 1:metadata:meta/v1.ObjectMeta:o 2:spec:authorization/v1.SubjectAccessReviewSpec 3:status:authorization/v1.SubjectAccessReviewStatus:o
        authorization/v1.SubjectAccessReviewSpec 1:resourceAttributes:authorization/v1.ResourceAttributes:po 2:nonResourceAttributes:authorization/v1.NonResourceAttributes:po 3:user:s:o 4:groups:*s:o 5:extra:%[authorization/v1.ExtraValue:o 6:uid:s:o
        authorization/v1.SubjectAccessReviewStatus 1:allowed:b 4:denied:b:o 2:reason:s:o 3:evaluationError:s:o
        authorization/v1.SubjectRulesReviewStatus 1:resourceRules:*authorization/v1.ResourceRule 2:nonResourceRules:*authorization/v1.NonResourceRule 3:incomplete:b 4:evaluationError:s:o
        autoscaling/v1.CrossVersionObjectReference 1:kind:s 2:name:s 3:apiVersion:s:o
        autoscaling/v1.HorizontalPodAutoscaler 1:metadata:meta/v1.ObjectMeta:o 2:spec:autoscaling/v1.HorizontalPodAutoscalerSpec:o 3:status:autoscaling/v1.HorizontalPodAutoscalerStatus:o
        autoscaling/v1.HorizontalPodAutoscalerSpec 1:scaleTargetRef:autoscaling/v1.CrossVersionObjectReference 2:minReplicas:i:po 3:maxReplicas:i 4:targetCPUUtilizationPercentage:i:po
        autoscaling/v1.HorizontalPodAutoscalerStatus 1:observedGeneration:i:po 2:lastScaleTime:T:po 3:currentReplicas:i 4:desiredReplicas:i 5:currentCPUUtilizationPercentage:i:po
        autoscaling/v1.Scale 1:metadata:meta/v1.ObjectMeta:o 2:spec:autoscaling/v1.ScaleSpec:o 3:status:autoscaling/v1.ScaleStatus:o
        autoscaling/v1.ScaleSpec 1:replicas:i:o
        autoscaling/v1.ScaleStatus 1:replicas:i 2:selector:s:o
        batch/v1.CronJob 1:metadata:meta/v1.ObjectMeta:o 2:spec:batch/v1.CronJobSpec:o 3:status:batch/v1.CronJobStatus:o
        batch/v1.CronJobSpec 1:schedule:s 8:timeZone:s:po 2:startingDeadlineSeconds:i:po 3:concurrencyPolicy:s:o 4:suspend:b:po 5:jobTemplate:batch/v1.JobTemplateSpec 6:successfulJobsHistoryLimit:i:po 7:failedJobsHistoryLimit:i:po
        batch/v1.CronJobStatus 1:active:*core/v1.ObjectReference:o 4:lastScheduleTime:T:po 5:lastSuccessfulTime:T:po
        batch/v1.Job 1:metadata:meta/v1.ObjectMeta:o 2:spec:batch/v1.JobSpec:o 3:status:batch/v1.JobStatus:o
        batch/v1.JobCondition 1:type:s 2:status:s 3:lastProbeTime:T:o 4:lastTransitionTime:T:o 5:reason:s:o 6:message:s:o
        batch/v1.JobSchedulingConfiguration 1:schedulingPolicy:s:po 2:schedulingConstraints:s:po 3:disruptionMode:s:po 4:resourceClaims:*s:o
        batch/v1.JobSpec 1:parallelism:i:po 2:completions:i:po 3:activeDeadlineSeconds:i:po 11:podFailurePolicy:batch/v1.PodFailurePolicy:po 16:successPolicy:batch/v1.SuccessPolicy:po 7:backoffLimit:i:po 12:backoffLimitPerIndex:i:po 13:maxFailedIndexes:i:po 4:selector:meta/v1.LabelSelector:po 5:manualSelector:b:po 6:template:core/v1.PodTemplateSpec 8:ttlSecondsAfterFinished:i:po 9:completionMode:s:po 10:suspend:b:po 14:podReplacementPolicy:s:po 15:managedBy:s:po 17:scheduling:batch/v1.JobSchedulingConfiguration:po
        batch/v1.JobStatus 1:conditions:*batch/v1.JobCondition:o 2:startTime:T:po 3:completionTime:T:po 4:active:i:o 5:succeeded:i:o 6:failed:i:o 11:terminating:i:po 7:completedIndexes:s:o 10:failedIndexes:s:po 8:uncountedTerminatedPods:batch/v1.UncountedTerminatedPods:po 9:ready:i:po
        batch/v1.JobTemplateSpec 1:metadata:meta/v1.ObjectMeta:o 2:spec:batch/v1.JobSpec:o
        batch/v1.PodFailurePolicy 1:rules:*batch/v1.PodFailurePolicyRule
        batch/v1.PodFailurePolicyOnExitCodesRequirement 1:containerName:s:po 2:operator:s 3:values:*i
        batch/v1.PodFailurePolicyOnPodConditionsPattern 1:type:s 2:status:s
        batch/v1.PodFailurePolicyRule 1:action:s 2:onExitCodes:batch/v1.PodFailurePolicyOnExitCodesRequirement:po 3:onPodConditions:*batch/v1.PodFailurePolicyOnPodConditionsPattern:o
        batch/v1.SuccessPolicy 1:rules:*batch/v1.SuccessPolicyRule
        batch/v1.SuccessPolicyRule 1:succeededIndexes:s:po 2:succeededCount:i:po
        batch/v1.UncountedTerminatedPods 1:succeeded:*s:o 2:failed:*s:o
        certificates/v1.CertificateSigningRequest 1:metadata:meta/v1.ObjectMeta:o 2:spec:certificates/v1.CertificateSigningRequestSpec 3:status:certificates/v1.CertificateSigningRequestStatus:o
        certificates/v1.CertificateSigningRequestCondition 1:type:s 6:status:s 2:reason:s:o 3:message:s:o 4:lastUpdateTime:T:o 5:lastTransitionTime:T:o
        certificates/v1.CertificateSigningRequestSpec 1:request:y 7:signerName:s 8:expirationSeconds:i:po 5:usages:*s:o 2:username:s:o 3:uid:s:o 4:groups:*s:o 6:extra:%[certificates/v1.ExtraValue:o
        certificates/v1.CertificateSigningRequestStatus 1:conditions:*certificates/v1.CertificateSigningRequestCondition:o 2:certificate:y:o
        certificates/v1.ExtraValue 1:items:*s
        coordination/v1.Lease 1:metadata:meta/v1.ObjectMeta:o 2:spec:coordination/v1.LeaseSpec:o
        coordination/v1.LeaseSpec 1:holderIdentity:s:po 2:leaseDurationSeconds:i:po 3:acquireTime:U:po 4:renewTime:U:po 5:leaseTransitions:i:po 6:strategy:s:po 7:preferredHolder:s:po
        core/v1.AWSElasticBlockStoreVolumeSource 1:volumeID:s 2:fsType:s:o 3:partition:i:o 4:readOnly:b:o
        core/v1.Affinity 1:nodeAffinity:core/v1.NodeAffinity:po 2:podAffinity:core/v1.PodAffinity:po 3:podAntiAffinity:core/v1.PodAntiAffinity:po
        core/v1.AppArmorProfile 1:type:s 2:localhostProfile:s:po
        core/v1.AttachedVolume 1:name:s 2:devicePath:s
        core/v1.AzureDiskVolumeSource 1:diskName:s 2:diskURI:s 3:cachingMode:s:po 4:fsType:s:po 5:readOnly:b:po 6:kind:s:po
        core/v1.AzureFilePersistentVolumeSource 1:secretName:s 2:shareName:s 3:readOnly:b:o 4:secretNamespace:s:p
        core/v1.AzureFileVolumeSource 1:secretName:s 2:shareName:s 3:readOnly:b:o
        core/v1.Binding 1:metadata:meta/v1.ObjectMeta:o 2:target:core/v1.ObjectReference
        core/v1.CSIPersistentVolumeSource 1:driver:s 2:volumeHandle:s 3:readOnly:b:o 4:fsType:s:o 5:volumeAttributes:%s:o 6:controllerPublishSecretRef:core/v1.SecretReference:po 7:nodeStageSecretRef:core/v1.SecretReference:po 8:nodePublishSecretRef:core/v1.SecretReference:po 9:controllerExpandSecretRef:core/v1.SecretReference:po 10:nodeExpandSecretRef:core/v1.SecretReference:po
        core/v1.CSIVolumeSource 1:driver:s 2:readOnly:b:po 3:fsType:s:po 4:volumeAttributes:%s:o 5:nodePublishSecretRef:core/v1.LocalObjectReference:po
        core/v1.Capabilities 1:add:*s:o 2:drop:*s:o
        core/v1.CephFSPersistentVolumeSource 1:monitors:*s 2:path:s:o 3:user:s:o 4:secretFile:s:o 5:secretRef:core/v1.SecretReference:po 6:readOnly:b:o
        core/v1.CephFSVolumeSource 1:monitors:*s 2:path:s:o 3:user:s:o 4:secretFile:s:o 5:secretRef:core/v1.LocalObjectReference:po 6:readOnly:b:o
        core/v1.CinderPersistentVolumeSource 1:volumeID:s 2:fsType:s:o 3:readOnly:b:o 4:secretRef:core/v1.SecretReference:po
        core/v1.CinderVolumeSource 1:volumeID:s 2:fsType:s:o 3:readOnly:b:o 4:secretRef:core/v1.LocalObjectReference:po
        core/v1.ClientIPConfig 1:timeoutSeconds:i:po
        core/v1.ClusterTrustBundleProjection 1:name:s:po 2:signerName:s:po 3:labelSelector:meta/v1.LabelSelector:po 5:optional:b:po 4:path:s 6:user:i:po
        core/v1.ComponentCondition 1:type:s 2:status:s 3:message:s:o 4:error:s:o
        core/v1.ComponentStatus 1:metadata:meta/v1.ObjectMeta:o 2:conditions:*core/v1.ComponentCondition:o
        core/v1.ConfigMap 1:metadata:meta/v1.ObjectMeta:o 4:immutable:b:po 2:data:%s:o 3:binaryData:%y:o
        core/v1.ConfigMapEnvSource 1::core/v1.LocalObjectReference 2:optional:b:po
        core/v1.ConfigMapKeySelector 1::core/v1.LocalObjectReference 2:key:s 3:optional:b:po
        core/v1.ConfigMapNodeConfigSource 1:namespace:s 2:name:s 3:uid:s:o 4:resourceVersion:s:o 5:kubeletConfigKey:s
        core/v1.ConfigMapProjection 1::core/v1.LocalObjectReference 2:items:*core/v1.KeyToPath:o 4:optional:b:po
        core/v1.ConfigMapVolumeSource 1::core/v1.LocalObjectReference 2:items:*core/v1.KeyToPath:o 3:defaultMode:i:po 4:optional:b:po 5:defaultUser:i:po
        core/v1.Container 1:name:s 2:image:s:o 3:command:*s:o 4:args:*s:o 5:workingDir:s:o 6:ports:*core/v1.ContainerPort:o 19:envFrom:*core/v1.EnvFromSource:o 7:env:*core/v1.EnvVar:o 8:resources:core/v1.ResourceRequirements:o 23:resizePolicy:*core/v1.ContainerResizePolicy:o 24:restartPolicy:s:po 25:restartPolicyRules:*core/v1.ContainerRestartRule:o 9:volumeMounts:*core/v1.VolumeMount:o 21:volumeDevices:*core/v1.VolumeDevice:o 10:livenessProbe:core/v1.Probe:po 11:readinessProbe:core/v1.Probe:po 22:startupProbe:core/v1.Probe:po 12:lifecycle:core/v1.Lifecycle:po 13:terminationMessagePath:s:o 20:terminationMessagePolicy:s:o 14:imagePullPolicy:s:o 15:securityContext:core/v1.SecurityContext:po 16:stdin:b:o 17:stdinOnce:b:o 18:tty:b:o
        core/v1.ContainerExtendedResourceRequest 1:containerName:s 2:resourceName:s 3:requestName:s
        core/v1.ContainerImage 1:names:*s 2:sizeBytes:i:o
        core/v1.ContainerPort 1:name:s:o 2:hostPort:i:o 3:containerPort:i 4:protocol:s:o 5:hostIP:s:o
        core/v1.ContainerResizePolicy 1:resourceName:s 2:restartPolicy:s
        core/v1.ContainerRestartRule 1:action:s:o 2:exitCodes:core/v1.ContainerRestartRuleOnExitCodes:po
        core/v1.ContainerRestartRuleOnExitCodes 1:operator:s:o 2:values:*i:o
        core/v1.ContainerState 1:waiting:core/v1.ContainerStateWaiting:po 2:running:core/v1.ContainerStateRunning:po 3:terminated:core/v1.ContainerStateTerminated:po
        core/v1.ContainerStateRunning 1:startedAt:T:o
        core/v1.ContainerStateTerminated 1:exitCode:i 2:signal:i:o 3:reason:s:o 4:message:s:o 5:startedAt:T:o 6:finishedAt:T:o 7:containerID:s:o
        core/v1.ContainerStateWaiting 1:reason:s:o 2:message:s:o
        core/v1.ContainerStatus 1:name:s 2:state:core/v1.ContainerState:o 3:lastState:core/v1.ContainerState:o 4:ready:b 5:restartCount:i 6:image:s 7:imageID:s 8:containerID:s:o 9:started:b:po 10:allocatedResources:%Q:o 11:resources:core/v1.ResourceRequirements:po 12:volumeMounts:*core/v1.VolumeMountStatus:o 13:user:core/v1.ContainerUser:po 14:allocatedResourcesStatus:*core/v1.ResourceStatus:o 15:stopSignal:s:po
        core/v1.ContainerUser 1:linux:core/v1.LinuxContainerUser:po
        core/v1.DaemonEndpoint 1:Port:i
        core/v1.DownwardAPIProjection 1:items:*core/v1.DownwardAPIVolumeFile:o
        core/v1.DownwardAPIVolumeFile 1:path:s 2:fieldRef:core/v1.ObjectFieldSelector:po 3:resourceFieldRef:core/v1.ResourceFieldSelector:po 4:mode:i:po 5:user:i:po
        core/v1.DownwardAPIVolumeSource 1:items:*core/v1.DownwardAPIVolumeFile:o 2:defaultMode:i:po 3:defaultUser:i:po
        core/v1.EmptyDirVolumeSource 1:medium:s:o 2:sizeLimit:Q:po 3:mode:i:po
        core/v1.EndpointAddress 1:ip:s 3:hostname:s:o 4:nodeName:s:po 2:targetRef:core/v1.ObjectReference:po
        core/v1.EndpointPort 1:name:s:o 2:port:i 3:protocol:s:o 4:appProtocol:s:po
        core/v1.EndpointSubset 1:addresses:*core/v1.EndpointAddress:o 2:notReadyAddresses:*core/v1.EndpointAddress:o 3:ports:*core/v1.EndpointPort:o
        core/v1.Endpoints 1:metadata:meta/v1.ObjectMeta:o 2:subsets:*core/v1.EndpointSubset:o
        core/v1.EnvFromSource 1:prefix:s:o 2:configMapRef:core/v1.ConfigMapEnvSource:po 3:secretRef:core/v1.SecretEnvSource:po
        core/v1.EnvVar 1:name:s 2:value:s:o 3:valueFrom:core/v1.EnvVarSource:po
        core/v1.EnvVarSource 1:fieldRef:core/v1.ObjectFieldSelector:po 2:resourceFieldRef:core/v1.ResourceFieldSelector:po 3:configMapKeyRef:core/v1.ConfigMapKeySelector:po 4:secretKeyRef:core/v1.SecretKeySelector:po 5:fileKeyRef:core/v1.FileKeySelector:po
        core/v1.EphemeralContainer 1::core/v1.EphemeralContainerCommon 2:targetContainerName:s:o
        core/v1.EphemeralContainerCommon 1:name:s 2:image:s:o 3:command:*s:o 4:args:*s:o 5:workingDir:s:o 6:ports:*core/v1.ContainerPort:o 19:envFrom:*core/v1.EnvFromSource:o 7:env:*core/v1.EnvVar:o 8:resources:core/v1.ResourceRequirements:o 23:resizePolicy:*core/v1.ContainerResizePolicy:o 24:restartPolicy:s:po 25:restartPolicyRules:*core/v1.ContainerRestartRule:o 9:volumeMounts:*core/v1.VolumeMount:o 21:volumeDevices:*core/v1.VolumeDevice:o 10:livenessProbe:core/v1.Probe:po 11:readinessProbe:core/v1.Probe:po 22:startupProbe:core/v1.Probe:po 12:lifecycle:core/v1.Lifecycle:po 13:terminationMessagePath:s:o 20:terminationMessagePolicy:s:o 14:imagePullPolicy:s:o 15:securityContext:core/v1.SecurityContext:po 16:stdin:b:o 17:stdinOnce:b:o 18:tty:b:o
        core/v1.EphemeralVolumeSource 1:volumeClaimTemplate:core/v1.PersistentVolumeClaimTemplate:po
        core/v1.Event 1:metadata:meta/v1.ObjectMeta 2:involvedObject:core/v1.ObjectReference 3:reason:s:o 4:message:s:o 5:source:core/v1.EventSource:o 6:firstTimestamp:T:o 7:lastTimestamp:T:o 8:count:i:o 9:type:s:o 10:eventTime:U:o 11:series:core/v1.EventSeries:po 12:action:s:o 13:related:core/v1.ObjectReference:po 14:reportingComponent:s 15:reportingInstance:s
        core/v1.EventSeries 1:count:i:o 2:lastObservedTime:U:o
        core/v1.EventSource 1:component:s:o 2:host:s:o
        core/v1.EvictionResponder 1:name:s 2:priority:i:p
        core/v1.ExecAction 1:command:*s:o
        core/v1.FCVolumeSource 1:targetWWNs:*s:o 2:lun:i:po 3:fsType:s:o 4:readOnly:b:o 5:wwids:*s:o
        core/v1.FileKeySelector 1:volumeName:s 2:path:s 3:key:s 4:optional:b:po
        core/v1.FlexPersistentVolumeSource 1:driver:s 2:fsType:s:o 3:secretRef:core/v1.SecretReference:po 4:readOnly:b:o 5:options:%s:o
        core/v1.FlexVolumeSource 1:driver:s 2:fsType:s:o 3:secretRef:core/v1.LocalObjectReference:po 4:readOnly:b:o 5:options:%s:o
        core/v1.FlockerVolumeSource 1:datasetName:s:o 2:datasetUUID:s:o
        core/v1.GCEPersistentDiskVolumeSource 1:pdName:s 2:fsType:s:o 3:partition:i:o 4:readOnly:b:o
        core/v1.GRPCAction 1:port:i 2:service:s:p 3:mode:s:po
        core/v1.GitRepoVolumeSource 1:repository:s 2:revision:s:o 3:directory:s:o
        core/v1.GlusterfsPersistentVolumeSource 1:endpoints:s 2:path:s 3:readOnly:b:o 4:endpointsNamespace:s:po
        core/v1.GlusterfsVolumeSource 1:endpoints:s 2:path:s 3:readOnly:b:o
        core/v1.HTTPGetAction 1:path:s:o 2:port:I 3:host:s:o 4:scheme:s:o 5:httpHeaders:*core/v1.HTTPHeader:o 6:protocol:s:po
        core/v1.HTTPHeader 1:name:s 2:value:s
        core/v1.HostAlias 1:ip:s 2:hostnames:*s:o
        core/v1.HostIP 1:ip:s
        core/v1.HostPathVolumeSource 1:path:s 2:type:s:po
        core/v1.ISCSIPersistentVolumeSource 1:targetPortal:s 2:iqn:s 3:lun:i 4:iscsiInterface:s:o 5:fsType:s:o 6:readOnly:b:o 7:portals:*s:o 8:chapAuthDiscovery:b:o 11:chapAuthSession:b:o 10:secretRef:core/v1.SecretReference:po 12:initiatorName:s:po
        core/v1.ISCSIVolumeSource 1:targetPortal:s 2:iqn:s 3:lun:i 4:iscsiInterface:s:o 5:fsType:s:o 6:readOnly:b:o 7:portals:*s:o 8:chapAuthDiscovery:b:o 11:chapAuthSession:b:o 10:secretRef:core/v1.LocalObjectReference:po 12:initiatorName:s:po
        core/v1.ImageVolumeSource 1:reference:s:o 2:pullPolicy:s:o
        core/v1.ImageVolumeStatus 1:imageRef:s:o
        core/v1.KeyToPath 1:key:s 2:path:s 3:mode:i:po 4:user:i:po
        core/v1.Lifecycle 1:postStart:core/v1.LifecycleHandler:po 2:preStop:core/v1.LifecycleHandler:po 3:stopSignal:s:po
        core/v1.LifecycleHandler 1:exec:core/v1.ExecAction:po 2:httpGet:core/v1.HTTPGetAction:po 3:tcpSocket:core/v1.TCPSocketAction:po 4:sleep:core/v1.SleepAction:po
        core/v1.LimitRange 1:metadata:meta/v1.ObjectMeta:o 2:spec:core/v1.LimitRangeSpec:o
        core/v1.LimitRangeItem 1:type:s 2:max:%Q:o 3:min:%Q:o 4:default:%Q:o 5:defaultRequest:%Q:o 6:maxLimitRequestRatio:%Q:o
        core/v1.LimitRangeSpec 1:limits:*core/v1.LimitRangeItem
        core/v1.LinuxContainerUser 1:uid:i 2:gid:i 3:supplementalGroups:*i:o
        core/v1.LoadBalancerIngress 1:ip:s:o 2:hostname:s:o 3:ipMode:s:po 4:ports:*core/v1.PortStatus:o
        core/v1.LoadBalancerStatus 1:ingress:*core/v1.LoadBalancerIngress:o
        core/v1.LocalObjectReference 1:name:s:o
        core/v1.LocalVolumeSource 1:path:s 2:fsType:s:po
        core/v1.ModifyVolumeStatus 1:targetVolumeAttributesClassName:s:o 2:status:s
        core/v1.NFSVolumeSource 1:server:s 2:path:s 3:readOnly:b:o
        core/v1.Namespace 1:metadata:meta/v1.ObjectMeta:o 2:spec:core/v1.NamespaceSpec:o 3:status:core/v1.NamespaceStatus:o
        core/v1.NamespaceCondition 1:type:s 2:status:s 4:lastTransitionTime:T:o 5:reason:s:o 6:message:s:o
        core/v1.NamespaceSpec 1:finalizers:*s:o
        core/v1.NamespaceStatus 1:phase:s:o 2:conditions:*core/v1.NamespaceCondition:o
        core/v1.Node 1:metadata:meta/v1.ObjectMeta:o 2:spec:core/v1.NodeSpec:o 3:status:core/v1.NodeStatus:o
        core/v1.NodeAddress 1:type:s 2:address:s
        core/v1.NodeAffinity 1:requiredDuringSchedulingIgnoredDuringExecution:core/v1.NodeSelector:po 2:preferredDuringSchedulingIgnoredDuringExecution:*core/v1.PreferredSchedulingTerm:o
        core/v1.NodeAllocatableMappedResources 1:name:s 2:quantity:Q:p
        core/v1.NodeAllocatableOverheadResources 1:name:s 2:perPod:Q:po 3:perContainer:Q:po
        core/v1.NodeAllocatableResourceClaimStatus 1:resourceClaimName:s 2:containers:*s:o 4:mapping:*core/v1.NodeAllocatableMappedResources:o 5:overhead:*core/v1.NodeAllocatableOverheadResources:o
        core/v1.NodeCondition 1:type:s 2:status:s 3:lastHeartbeatTime:T:o 4:lastTransitionTime:T:o 5:reason:s:o 6:message:s:o
        core/v1.NodeConfigSource 2:configMap:core/v1.ConfigMapNodeConfigSource:po
        core/v1.NodeConfigStatus 1:assigned:core/v1.NodeConfigSource:po 2:active:core/v1.NodeConfigSource:po 3:lastKnownGood:core/v1.NodeConfigSource:po 4:error:s:o
        core/v1.NodeDaemonEndpoints 1:kubeletEndpoint:core/v1.DaemonEndpoint:o
        core/v1.NodeFeatures 1:supplementalGroupsPolicy:b:po
        core/v1.NodePodPreemptionPolicy 1:disableResizePreemption:*s:o
        core/v1.NodeRuntimeHandler 1:name:s 2:features:core/v1.NodeRuntimeHandlerFeatures:po
        core/v1.NodeRuntimeHandlerFeatures 1:recursiveReadOnlyMounts:b:po 2:userNamespaces:b:po
        core/v1.NodeSelector 1:nodeSelectorTerms:*core/v1.NodeSelectorTerm
        core/v1.NodeSelectorRequirement 1:key:s 2:operator:s 3:values:*s:o
        core/v1.NodeSelectorTerm 1:matchExpressions:*core/v1.NodeSelectorRequirement:o 2:matchFields:*core/v1.NodeSelectorRequirement:o
        core/v1.NodeSpec 1:podCIDR:s:o 7:podCIDRs:*s:o 3:providerID:s:o 4:unschedulable:b:o 5:taints:*core/v1.Taint:o 6:configSource:core/v1.NodeConfigSource:po 2:externalID:s:o 8:podPreemptionPolicy:core/v1.NodePodPreemptionPolicy:po
        core/v1.NodeStatus 1:capacity:%Q:o 2:allocatable:%Q:o 3:phase:s:o 4:conditions:*core/v1.NodeCondition:o 5:addresses:*core/v1.NodeAddress:o 6:daemonEndpoints:core/v1.NodeDaemonEndpoints:o 7:nodeInfo:core/v1.NodeSystemInfo:o 8:images:*core/v1.ContainerImage:o 9:volumesInUse:*s:o 10:volumesAttached:*core/v1.AttachedVolume:o 11:config:core/v1.NodeConfigStatus:po 12:runtimeHandlers:*core/v1.NodeRuntimeHandler:o 13:features:core/v1.NodeFeatures:po 14:declaredFeatures:*s:o
        core/v1.NodeSwapStatus 1:capacity:i:po
        core/v1.NodeSystemInfo 1:machineID:s 2:systemUUID:s 3:bootID:s 4:kernelVersion:s 5:osImage:s 6:containerRuntimeVersion:s 7:kubeletVersion:s 8:kubeProxyVersion:s 9:operatingSystem:s 10:architecture:s 11:swap:core/v1.NodeSwapStatus:po
        core/v1.ObjectFieldSelector 1:apiVersion:s:o 2:fieldPath:s
        core/v1.ObjectReference 1:kind:s:o 2:namespace:s:o 3:name:s:o 4:uid:s:o 5:apiVersion:s:o 6:resourceVersion:s:o 7:fieldPath:s:o
        core/v1.PersistentVolume 1:metadata:meta/v1.ObjectMeta:o 2:spec:core/v1.PersistentVolumeSpec:o 3:status:core/v1.PersistentVolumeStatus:o
        core/v1.PersistentVolumeClaim 1:metadata:meta/v1.ObjectMeta:o 2:spec:core/v1.PersistentVolumeClaimSpec:o 3:status:core/v1.PersistentVolumeClaimStatus:o
        core/v1.PersistentVolumeClaimCondition 1:type:s 2:status:s 3:lastProbeTime:T:o 4:lastTransitionTime:T:o 5:reason:s:o 6:message:s:o
        core/v1.PersistentVolumeClaimSpec 1:accessModes:*s:o 4:selector:meta/v1.LabelSelector:po 2:resources:core/v1.VolumeResourceRequirements:o 3:volumeName:s:o 5:storageClassName:s:po 6:volumeMode:s:po 7:dataSource:core/v1.TypedLocalObjectReference:po 8:dataSourceRef:core/v1.TypedObjectReference:po 9:volumeAttributesClassName:s:po
        core/v1.PersistentVolumeClaimStatus 1:phase:s:o 2:accessModes:*s:o 3:capacity:%Q:o 4:conditions:*core/v1.PersistentVolumeClaimCondition:o 5:allocatedResources:%Q:o 7:allocatedResourceStatuses:%s:o 8:currentVolumeAttributesClassName:s:po 9:modifyVolumeStatus:core/v1.ModifyVolumeStatus:po 10:healthStatus:core/v1.VolumeHealthStatus:po
        core/v1.PersistentVolumeClaimTemplate 1:metadata:meta/v1.ObjectMeta:o 2:spec:core/v1.PersistentVolumeClaimSpec
        core/v1.PersistentVolumeClaimVolumeSource 1:claimName:s 2:readOnly:b:o
        core/v1.PersistentVolumeSource 1:gcePersistentDisk:core/v1.GCEPersistentDiskVolumeSource:po 2:awsElasticBlockStore:core/v1.AWSElasticBlockStoreVolumeSource:po 3:hostPath:core/v1.HostPathVolumeSource:po 4:glusterfs:core/v1.GlusterfsPersistentVolumeSource:po 5:nfs:core/v1.NFSVolumeSource:po 6:rbd:core/v1.RBDPersistentVolumeSource:po 7:iscsi:core/v1.ISCSIPersistentVolumeSource:po 8:cinder:core/v1.CinderPersistentVolumeSource:po 9:cephfs:core/v1.CephFSPersistentVolumeSource:po 10:fc:core/v1.FCVolumeSource:po 11:flocker:core/v1.FlockerVolumeSource:po 12:flexVolume:core/v1.FlexPersistentVolumeSource:po 13:azureFile:core/v1.AzureFilePersistentVolumeSource:po 14:vsphereVolume:core/v1.VsphereVirtualDiskVolumeSource:po 15:quobyte:core/v1.QuobyteVolumeSource:po 16:azureDisk:core/v1.AzureDiskVolumeSource:po 17:photonPersistentDisk:core/v1.PhotonPersistentDiskVolumeSource:po 18:portworxVolume:core/v1.PortworxVolumeSource:po 19:scaleIO:core/v1.ScaleIOPersistentVolumeSource:po 20:local:core/v1.LocalVolumeSource:po 21:storageos:core/v1.StorageOSPersistentVolumeSource:po 22:csi:core/v1.CSIPersistentVolumeSource:po
        core/v1.PersistentVolumeSpec 1:capacity:%Q:o 2::core/v1.PersistentVolumeSource 3:accessModes:*s:o 4:claimRef:core/v1.ObjectReference:po 5:persistentVolumeReclaimPolicy:s:o 6:storageClassName:s:o 7:mountOptions:*s:o 8:volumeMode:s:po 9:nodeAffinity:core/v1.VolumeNodeAffinity:po 10:volumeAttributesClassName:s:po
        core/v1.PersistentVolumeStatus 1:phase:s:o 2:message:s:o 3:reason:s:o 4:lastPhaseTransitionTime:T:po
        core/v1.PhotonPersistentDiskVolumeSource 1:pdID:s 2:fsType:s:o
        core/v1.Pod 1:metadata:meta/v1.ObjectMeta:o 2:spec:core/v1.PodSpec:o 3:status:core/v1.PodStatus:o
        core/v1.PodAffinity 1:requiredDuringSchedulingIgnoredDuringExecution:*core/v1.PodAffinityTerm:o 2:preferredDuringSchedulingIgnoredDuringExecution:*core/v1.WeightedPodAffinityTerm:o
        core/v1.PodAffinityTerm 1:labelSelector:meta/v1.LabelSelector:po 2:namespaces:*s:o 3:topologyKey:s 4:namespaceSelector:meta/v1.LabelSelector:po 5:matchLabelKeys:*s:o 6:mismatchLabelKeys:*s:o
        core/v1.PodAntiAffinity 1:requiredDuringSchedulingIgnoredDuringExecution:*core/v1.PodAffinityTerm:o 2:preferredDuringSchedulingIgnoredDuringExecution:*core/v1.WeightedPodAffinityTerm:o
        core/v1.PodCertificateProjection 1:signerName:s:o 2:keyType:s:o 3:maxExpirationSeconds:i:po 4:credentialBundlePath:s:o 5:keyPath:s:o 6:certificateChainPath:s:o 7:userAnnotations:%s:o 8:user:i:po
        core/v1.PodCondition 1:type:s 7:observedGeneration:i:o 2:status:s 3:lastProbeTime:T:o 4:lastTransitionTime:T:o 5:reason:s:o 6:message:s:o
        core/v1.PodDNSConfig 1:nameservers:*s:o 2:searches:*s:o 3:options:*core/v1.PodDNSConfigOption:o
        core/v1.PodDNSConfigOption 1:name:s:o 2:value:s:po
        core/v1.PodExtendedResourceClaimStatus 1:requestMappings:*core/v1.ContainerExtendedResourceRequest 2:resourceClaimName:s
        core/v1.PodIP 1:ip:s
        core/v1.PodOS 1:name:s
        core/v1.PodReadinessGate 1:conditionType:s
        core/v1.PodResourceClaim 1:name:s 3:resourceClaimName:s:po 4:resourceClaimTemplateName:s:po
        core/v1.PodResourceClaimStatus 1:name:s 2:resourceClaimName:s:po
        core/v1.PodSchedulingGate 1:name:s
        core/v1.PodSchedulingGroup 1:podGroupName:s:po
        core/v1.PodSecurityContext 1:seLinuxOptions:core/v1.SELinuxOptions:po 8:windowsOptions:core/v1.WindowsSecurityContextOptions:po 2:runAsUser:i:po 6:runAsGroup:i:po 3:runAsNonRoot:b:po 4:supplementalGroups:*i:o 12:supplementalGroupsPolicy:s:po 5:fsGroup:i:po 7:sysctls:*core/v1.Sysctl:o 9:fsGroupChangePolicy:s:po 10:seccompProfile:core/v1.SeccompProfile:po 11:appArmorProfile:core/v1.AppArmorProfile:po 13:seLinuxChangePolicy:s:po
        core/v1.PodSpec 1:volumes:*core/v1.Volume:o 20:initContainers:*core/v1.Container:o 2:containers:*core/v1.Container 34:ephemeralContainers:*core/v1.EphemeralContainer:o 3:restartPolicy:s:o 4:terminationGracePeriodSeconds:i:po 5:activeDeadlineSeconds:i:po 6:dnsPolicy:s:o 7:nodeSelector:%s:o 8:serviceAccountName:s:o 9:serviceAccount:s:o 21:automountServiceAccountToken:b:po 10:nodeName:s:o 11:hostNetwork:b:o 12:hostPID:b:o 13:hostIPC:b:o 27:shareProcessNamespace:b:po 14:securityContext:core/v1.PodSecurityContext:po 15:imagePullSecrets:*core/v1.LocalObjectReference:o 16:hostname:s:o 17:subdomain:s:o 18:affinity:core/v1.Affinity:po 19:schedulerName:s:o 22:tolerations:*core/v1.Toleration:o 23:hostAliases:*core/v1.HostAlias:o 24:priorityClassName:s:o 25:priority:i:po 26:dnsConfig:core/v1.PodDNSConfig:po 28:readinessGates:*core/v1.PodReadinessGate:o 29:runtimeClassName:s:po 30:enableServiceLinks:b:po 31:preemptionPolicy:s:po 32:overhead:%Q:o 33:topologySpreadConstraints:*core/v1.TopologySpreadConstraint:o 35:setHostnameAsFQDN:b:po 36:os:core/v1.PodOS:po 37:hostUsers:b:po 38:schedulingGates:*core/v1.PodSchedulingGate:o 39:resourceClaims:*core/v1.PodResourceClaim:o 40:resources:core/v1.ResourceRequirements:po 41:hostnameOverride:s:po 43:schedulingGroup:core/v1.PodSchedulingGroup:po 44:evictionResponders:*core/v1.EvictionResponder:o
        core/v1.PodStatus 17:observedGeneration:i:o 1:phase:s:o 2:conditions:*core/v1.PodCondition:o 3:message:s:o 4:reason:s:o 11:nominatedNodeName:s:o 5:hostIP:s:o 16:hostIPs:*core/v1.HostIP:o 6:podIP:s:o 12:podIPs:*core/v1.PodIP:o 7:startTime:T:po 10:initContainerStatuses:*core/v1.ContainerStatus:o 8:containerStatuses:*core/v1.ContainerStatus:o 9:qosClass:s:o 13:ephemeralContainerStatuses:*core/v1.ContainerStatus:o 14:resize:s:o 15:resourceClaimStatuses:*core/v1.PodResourceClaimStatus:o 18:extendedResourceClaimStatus:core/v1.PodExtendedResourceClaimStatus:po 19:allocatedResources:%Q:o 20:resources:core/v1.ResourceRequirements:po 21:nodeAllocatableResourceClaimStatuses:*core/v1.NodeAllocatableResourceClaimStatus:o 22:volumeHealth:*core/v1.PodVolumeHealth:o
        core/v1.PodTemplate 1:metadata:meta/v1.ObjectMeta:o 2:template:core/v1.PodTemplateSpec:o
        core/v1.PodTemplateSpec 1:metadata:meta/v1.ObjectMeta:o 2:spec:core/v1.PodSpec:o
        core/v1.PodVolumeHealth 1:name:s 2:healthConditions:*core/v1.VolumeHealthCondition:o 3:lastTransitionTime:T:o
        core/v1.PortStatus 1:port:i 2:protocol:s 3:error:s:po
        core/v1.PortworxVolumeSource 1:volumeID:s 2:fsType:s:o 3:readOnly:b:o
        core/v1.PreferredSchedulingTerm 1:weight:i 2:preference:core/v1.NodeSelectorTerm
        core/v1.Probe 1::core/v1.ProbeHandler 2:initialDelaySeconds:i:o 3:timeoutSeconds:i:o 4:periodSeconds:i:o 5:successThreshold:i:o 6:failureThreshold:i:o 7:terminationGracePeriodSeconds:i:po
        core/v1.ProbeHandler 1:exec:core/v1.ExecAction:po 2:httpGet:core/v1.HTTPGetAction:po 3:tcpSocket:core/v1.TCPSocketAction:po 4:grpc:core/v1.GRPCAction:po
        core/v1.ProjectedVolumeSource 1:sources:*core/v1.VolumeProjection 2:defaultMode:i:po 3:defaultUser:i:po
        core/v1.QuobyteVolumeSource 1:registry:s 2:volume:s 3:readOnly:b:o 4:user:s:o 5:group:s:o 6:tenant:s:o
        core/v1.RBDPersistentVolumeSource 1:monitors:*s 2:image:s 3:fsType:s:o 4:pool:s:o 5:user:s:o 6:keyring:s:o 7:secretRef:core/v1.SecretReference:po 8:readOnly:b:o
        core/v1.RBDVolumeSource 1:monitors:*s 2:image:s 3:fsType:s:o 4:pool:s:o 5:user:s:o 6:keyring:s:o 7:secretRef:core/v1.LocalObjectReference:po 8:readOnly:b:o
        core/v1.ReplicationController 1:metadata:meta/v1.ObjectMeta:o 2:spec:core/v1.ReplicationControllerSpec:o 3:status:core/v1.ReplicationControllerStatus:o
        core/v1.ReplicationControllerCondition 1:type:s 2:status:s 3:lastTransitionTime:T:o 4:reason:s:o 5:message:s:o
        core/v1.ReplicationControllerSpec 1:replicas:i:po 4:minReadySeconds:i:o 2:selector:%s:o 3:template:core/v1.PodTemplateSpec:po
        core/v1.ReplicationControllerStatus 1:replicas:i 2:fullyLabeledReplicas:i:o 4:readyReplicas:i:o 5:availableReplicas:i:o 3:observedGeneration:i:o 6:conditions:*core/v1.ReplicationControllerCondition:o
        core/v1.ResourceClaim 1:name:s 2:request:s:o
        core/v1.ResourceFieldSelector 1:containerName:s:o 2:resource:s 3:divisor:Q:o
        core/v1.ResourceHealth 1:resourceID:s 2:health:s:o 6:message:s:po
        core/v1.ResourceQuota 1:metadata:meta/v1.ObjectMeta:o 2:spec:core/v1.ResourceQuotaSpec:o 3:status:core/v1.ResourceQuotaStatus:o
        core/v1.ResourceQuotaSpec 1:hard:%Q:o 2:scopes:*s:o 3:scopeSelector:core/v1.ScopeSelector:po
        core/v1.ResourceQuotaStatus 1:hard:%Q:o 2:used:%Q:o
        core/v1.ResourceRequirements 1:limits:%Q:o 2:requests:%Q:o 3:claims:*core/v1.ResourceClaim:o
        core/v1.ResourceStatus 1:name:s 2:resources:*core/v1.ResourceHealth:o
        core/v1.SELinuxOptions 1:user:s:o 2:role:s:o 3:type:s:o 4:level:s:o
        core/v1.ScaleIOPersistentVolumeSource 1:gateway:s 2:system:s 3:secretRef:core/v1.SecretReference:p 4:sslEnabled:b:o 5:protectionDomain:s:o 6:storagePool:s:o 7:storageMode:s:o 8:volumeName:s:o 9:fsType:s:o 10:readOnly:b:o
        core/v1.ScaleIOVolumeSource 1:gateway:s 2:system:s 3:secretRef:core/v1.LocalObjectReference:p 4:sslEnabled:b:o 5:protectionDomain:s:o 6:storagePool:s:o 7:storageMode:s:o 8:volumeName:s:o 9:fsType:s:o 10:readOnly:b:o
        core/v1.ScopeSelector 1:matchExpressions:*core/v1.ScopedResourceSelectorRequirement:o
        core/v1.ScopedResourceSelectorRequirement 1:scopeName:s 2:operator:s 3:values:*s:o
        core/v1.SeccompProfile 1:type:s 2:localhostProfile:s:po
        core/v1.Secret 1:metadata:meta/v1.ObjectMeta:o 5:immutable:b:po 2:data:%y:o 4:stringData:%s:o 3:type:s:o
        core/v1.SecretEnvSource 1::core/v1.LocalObjectReference 2:optional:b:po
        core/v1.SecretKeySelector 1::core/v1.LocalObjectReference 2:key:s 3:optional:b:po
        core/v1.SecretProjection 1::core/v1.LocalObjectReference 2:items:*core/v1.KeyToPath:o 4:optional:b:po
        core/v1.SecretReference 1:name:s:o 2:namespace:s:o
        core/v1.SecretVolumeSource 1:secretName:s:o 2:items:*core/v1.KeyToPath:o 3:defaultMode:i:po 4:optional:b:po 5:defaultUser:i:po
        core/v1.SecurityContext 1:capabilities:core/v1.Capabilities:po 2:privileged:b:po 3:seLinuxOptions:core/v1.SELinuxOptions:po 10:windowsOptions:core/v1.WindowsSecurityContextOptions:po 4:runAsUser:i:po 8:runAsGroup:i:po 5:runAsNonRoot:b:po 6:readOnlyRootFilesystem:b:po 7:allowPrivilegeEscalation:b:po 9:procMount:s:po 11:seccompProfile:core/v1.SeccompProfile:po 12:appArmorProfile:core/v1.AppArmorProfile:po
        core/v1.Service 1:metadata:meta/v1.ObjectMeta:o 2:spec:core/v1.ServiceSpec:o 3:status:core/v1.ServiceStatus:o
        core/v1.ServiceAccount 1:metadata:meta/v1.ObjectMeta:o 2:secrets:*core/v1.ObjectReference:o 3:imagePullSecrets:*core/v1.LocalObjectReference:o 4:automountServiceAccountToken:b:po
        core/v1.ServiceAccountTokenProjection 1:audience:s:o 2:expirationSeconds:i:po 3:path:s 4:user:i:po
        core/v1.ServicePort 1:name:s:o 2:protocol:s:o 6:appProtocol:s:po 3:port:i 4:targetPort:I:o 5:nodePort:i:o
        core/v1.ServiceSpec 1:ports:*core/v1.ServicePort:o 2:selector:%s:o 3:clusterIP:s:o 18:clusterIPs:*s:o 4:type:s:o 5:externalIPs:*s:o 7:sessionAffinity:s:o 8:loadBalancerIP:s:o 9:loadBalancerSourceRanges:*s:o 10:externalName:s:o 11:externalTrafficPolicy:s:o 12:healthCheckNodePort:i:o 13:publishNotReadyAddresses:b:o 14:sessionAffinityConfig:core/v1.SessionAffinityConfig:po 19:ipFamilies:*s:o 17:ipFamilyPolicy:s:po 20:allocateLoadBalancerNodePorts:b:po 21:loadBalancerClass:s:po 22:internalTrafficPolicy:s:po 23:trafficDistribution:s:po
        core/v1.ServiceStatus 1:loadBalancer:core/v1.LoadBalancerStatus:o 2:conditions:*meta/v1.Condition:o
        core/v1.SessionAffinityConfig 1:clientIP:core/v1.ClientIPConfig:po
        core/v1.SleepAction 1:seconds:i
        core/v1.StorageOSPersistentVolumeSource 1:volumeName:s:o 2:volumeNamespace:s:o 3:fsType:s:o 4:readOnly:b:o 5:secretRef:core/v1.ObjectReference:po
        core/v1.StorageOSVolumeSource 1:volumeName:s:o 2:volumeNamespace:s:o 3:fsType:s:o 4:readOnly:b:o 5:secretRef:core/v1.LocalObjectReference:po
        core/v1.Sysctl 1:name:s 2:value:s
        core/v1.TCPSocketAction 1:port:I 2:host:s:o
        core/v1.Taint 1:key:s 2:value:s:o 3:effect:s 4:timeAdded:T:po
        core/v1.Toleration 1:key:s:o 2:operator:s:o 3:value:s:o 4:effect:s:o 5:tolerationSeconds:i:po
        core/v1.TopologySelectorLabelRequirement 1:key:s 2:values:*s
        core/v1.TopologySelectorTerm 1:matchLabelExpressions:*core/v1.TopologySelectorLabelRequirement:o
        core/v1.TopologySpreadConstraint 1:maxSkew:i 2:topologyKey:s 3:whenUnsatisfiable:s 4:labelSelector:meta/v1.LabelSelector:po 5:minDomains:i:po 6:nodeAffinityPolicy:s:po 7:nodeTaintsPolicy:s:po 8:matchLabelKeys:*s:o
        core/v1.TypedLocalObjectReference 1:apiGroup:s:p 2:kind:s 3:name:s
        core/v1.TypedObjectReference 1:apiGroup:s:p 2:kind:s 3:name:s 4:namespace:s:po
        core/v1.Volume 1:name:s 2::core/v1.VolumeSource
        core/v1.VolumeDevice 1:name:s 2:devicePath:s
        core/v1.VolumeHealthCondition 1:status:s 2:reason:s 3:message:s:o
        core/v1.VolumeHealthStatus 1:healthConditions:*core/v1.VolumeHealthCondition:o 2:lastTransitionTime:T:o
        core/v1.VolumeMount 1:name:s 2:readOnly:b:o 7:recursiveReadOnly:s:po 3:mountPath:s 4:subPath:s:o 5:mountPropagation:s:po 6:subPathExpr:s:o 8:bindMountOptions:*s:o
        core/v1.VolumeMountStatus 1:name:s 2:mountPath:s 3:readOnly:b:o 4:recursiveReadOnly:s:po 5:volumeStatus:core/v1.VolumeStatus:po
        core/v1.VolumeNodeAffinity 1:required:core/v1.NodeSelector:po
        core/v1.VolumeProjection 1:secret:core/v1.SecretProjection:po 2:downwardAPI:core/v1.DownwardAPIProjection:po 3:configMap:core/v1.ConfigMapProjection:po 4:serviceAccountToken:core/v1.ServiceAccountTokenProjection:po 5:clusterTrustBundle:core/v1.ClusterTrustBundleProjection:po 6:podCertificate:core/v1.PodCertificateProjection:po
        core/v1.VolumeResourceRequirements 1:limits:%Q:o 2:requests:%Q:o
        core/v1.VolumeSource 1:hostPath:core/v1.HostPathVolumeSource:po 2:emptyDir:core/v1.EmptyDirVolumeSource:po 3:gcePersistentDisk:core/v1.GCEPersistentDiskVolumeSource:po 4:awsElasticBlockStore:core/v1.AWSElasticBlockStoreVolumeSource:po 5:gitRepo:core/v1.GitRepoVolumeSource:po 6:secret:core/v1.SecretVolumeSource:po 7:nfs:core/v1.NFSVolumeSource:po 8:iscsi:core/v1.ISCSIVolumeSource:po 9:glusterfs:core/v1.GlusterfsVolumeSource:po 10:persistentVolumeClaim:core/v1.PersistentVolumeClaimVolumeSource:po 11:rbd:core/v1.RBDVolumeSource:po 12:flexVolume:core/v1.FlexVolumeSource:po 13:cinder:core/v1.CinderVolumeSource:po 14:cephfs:core/v1.CephFSVolumeSource:po 15:flocker:core/v1.FlockerVolumeSource:po 16:downwardAPI:core/v1.DownwardAPIVolumeSource:po 17:fc:core/v1.FCVolumeSource:po 18:azureFile:core/v1.AzureFileVolumeSource:po 19:configMap:core/v1.ConfigMapVolumeSource:po 20:vsphereVolume:core/v1.VsphereVirtualDiskVolumeSource:po 21:quobyte:core/v1.QuobyteVolumeSource:po 22:azureDisk:core/v1.AzureDiskVolumeSource:po 23:photonPersistentDisk:core/v1.PhotonPersistentDiskVolumeSource:po 26:projected:core/v1.ProjectedVolumeSource:po 24:portworxVolume:core/v1.PortworxVolumeSource:po 25:scaleIO:core/v1.ScaleIOVolumeSource:po 27:storageos:core/v1.StorageOSVolumeSource:po 28:csi:core/v1.CSIVolumeSource:po 29:ephemeral:core/v1.EphemeralVolumeSource:po 30:image:core/v1.ImageVolumeSource:po
        core/v1.VolumeStatus 1:image:core/v1.ImageVolumeStatus:po
        core/v1.VsphereVirtualDiskVolumeSource 1:volumePath:s 2:fsType:s:o 3:storagePolicyName:s:o 4:storagePolicyID:s:o
        core/v1.WeightedPodAffinityTerm 1:weight:i 2:podAffinityTerm:core/v1.PodAffinityTerm
        core/v1.WindowsSecurityContextOptions 1:gmsaCredentialSpecName:s:po 2:gmsaCredentialSpec:s:po 3:runAsUserName:s:po 4:hostProcess:b:po
        discovery/v1.Endpoint 1:addresses:*s 2:conditions:discovery/v1.EndpointConditions:o 3:hostname:s:po 4:targetRef:core/v1.ObjectReference:po 5:deprecatedTopology:%s:o 6:nodeName:s:po 7:zone:s:po 8:hints:discovery/v1.EndpointHints:po
        discovery/v1.EndpointConditions 1:ready:b:po 2:serving:b:po 3:terminating:b:po
        discovery/v1.EndpointHints 1:forZones:*discovery/v1.ForZone:o 2:forNodes:*discovery/v1.ForNode:o
        discovery/v1.EndpointPort 1:name:s:po 2:protocol:s:po 3:port:i:po 4:appProtocol:s:po
        discovery/v1.EndpointSlice 1:metadata:meta/v1.ObjectMeta:o 4:addressType:s 2:endpoints:*discovery/v1.Endpoint 3:ports:*discovery/v1.EndpointPort
        discovery/v1.ForNode 1:name:s
        discovery/v1.ForZone 1:name:s
        events/v1.Event 1:metadata:meta/v1.ObjectMeta 2:eventTime:U 3:series:events/v1.EventSeries:po 4:reportingController:s:o 5:reportingInstance:s:o 6:action:s:o 7:reason:s:o 8:regarding:core/v1.ObjectReference:o 9:related:core/v1.ObjectReference:po 10:note:s:o 11:type:s:o 12:deprecatedSource:core/v1.EventSource:o 13:deprecatedFirstTimestamp:T:o 14:deprecatedLastTimestamp:T:o 15:deprecatedCount:i:o
        events/v1.EventSeries 1:count:i 2:lastObservedTime:U
        flowcontrol/v1.ExemptPriorityLevelConfiguration 1:nominalConcurrencyShares:i:po 2:lendablePercent:i:po
        flowcontrol/v1.FlowDistinguisherMethod 1:type:s
        flowcontrol/v1.FlowSchema 1:metadata:meta/v1.ObjectMeta:o 2:spec:flowcontrol/v1.FlowSchemaSpec:o 3:status:flowcontrol/v1.FlowSchemaStatus:o
        flowcontrol/v1.FlowSchemaCondition 1:type:s:o 2:status:s:o 3:lastTransitionTime:T:o 4:reason:s:o 5:message:s:o
        flowcontrol/v1.FlowSchemaSpec 1:priorityLevelConfiguration:flowcontrol/v1.PriorityLevelConfigurationReference 2:matchingPrecedence:i 3:distinguisherMethod:flowcontrol/v1.FlowDistinguisherMethod:po 4:rules:*flowcontrol/v1.PolicyRulesWithSubjects:o
        flowcontrol/v1.FlowSchemaStatus 1:conditions:*flowcontrol/v1.FlowSchemaCondition:o
        flowcontrol/v1.GroupSubject 1:name:s
        flowcontrol/v1.LimitResponse 1:type:s 2:queuing:flowcontrol/v1.QueuingConfiguration:po
        flowcontrol/v1.LimitedPriorityLevelConfiguration 1:nominalConcurrencyShares:i:p 2:limitResponse:flowcontrol/v1.LimitResponse:o 3:lendablePercent:i:po 4:borrowingLimitPercent:i:po
        flowcontrol/v1.NonResourcePolicyRule 1:verbs:*s 6:nonResourceURLs:*s
        flowcontrol/v1.PolicyRulesWithSubjects 1:subjects:*flowcontrol/v1.Subject 2:resourceRules:*flowcontrol/v1.ResourcePolicyRule:o 3:nonResourceRules:*flowcontrol/v1.NonResourcePolicyRule:o
        flowcontrol/v1.PriorityLevelConfiguration 1:metadata:meta/v1.ObjectMeta:o 2:spec:flowcontrol/v1.PriorityLevelConfigurationSpec:o 3:status:flowcontrol/v1.PriorityLevelConfigurationStatus:o
        flowcontrol/v1.PriorityLevelConfigurationCondition 1:type:s:o 2:status:s:o 3:lastTransitionTime:T:o 4:reason:s:o 5:message:s:o
        flowcontrol/v1.PriorityLevelConfigurationReference 1:name:s
        flowcontrol/v1.PriorityLevelConfigurationSpec 1:type:s 2:limited:flowcontrol/v1.LimitedPriorityLevelConfiguration:po 3:exempt:flowcontrol/v1.ExemptPriorityLevelConfiguration:po
        flowcontrol/v1.PriorityLevelConfigurationStatus 1:conditions:*flowcontrol/v1.PriorityLevelConfigurationCondition:o
        flowcontrol/v1.QueuingConfiguration 1:queues:i 2:handSize:i 3:queueLengthLimit:i
        flowcontrol/v1.ResourcePolicyRule 1:verbs:*s 2:apiGroups:*s 3:resources:*s 4:clusterScope:b:o 5:namespaces:*s
        flowcontrol/v1.ServiceAccountSubject 1:namespace:s 2:name:s
        flowcontrol/v1.Subject 1:kind:s 2:user:flowcontrol/v1.UserSubject:po 3:group:flowcontrol/v1.GroupSubject:po 4:serviceAccount:flowcontrol/v1.ServiceAccountSubject:po
        flowcontrol/v1.UserSubject 1:name:s
        meta/v1.Condition 1:type:s 2:status:s 3:observedGeneration:i:o 4:lastTransitionTime:T 5:reason:s 6:message:s
        meta/v1.DeleteOptions 1:gracePeriodSeconds:i:po 2:preconditions:meta/v1.Preconditions:po 3:orphanDependents:b:po 4:propagationPolicy:s:po 5:dryRun:*s:o 6:ignoreStoreReadErrorWithClusterBreakingPotential:b:po
        meta/v1.FieldSelectorRequirement 1:key:s 2:operator:s 3:values:*s:o
        meta/v1.LabelSelector 1:matchLabels:%s:o 2:matchExpressions:*meta/v1.LabelSelectorRequirement:o
        meta/v1.LabelSelectorRequirement 1:key:s 2:operator:s 3:values:*s:o
        meta/v1.ManagedFieldsEntry 1:manager:s:o 2:operation:s:o 3:apiVersion:s:o 4:time:T:po 6:fieldsType:s:o 7:fieldsV1:F:po 8:subresource:s:o
        meta/v1.ObjectMeta 1:name:s:o 2:generateName:s:o 3:namespace:s:o 4:selfLink:s:o 5:uid:s:o 6:resourceVersion:s:o 7:generation:i:o 8:creationTimestamp:T:o 9:deletionTimestamp:T:po 10:deletionGracePeriodSeconds:i:po 11:labels:%s:o 12:annotations:%s:o 13:ownerReferences:*meta/v1.OwnerReference:o 14:finalizers:*s:o 17:managedFields:*meta/v1.ManagedFieldsEntry:o
        meta/v1.OwnerReference 5:apiVersion:s 1:kind:s 3:name:s 4:uid:s 6:controller:b:po 7:blockOwnerDeletion:b:po
        meta/v1.Preconditions 1:uid:s:po 2:resourceVersion:s:po
        networking/v1.HTTPIngressPath 1:path:s:o 3:pathType:s:p 2:backend:networking/v1.IngressBackend
        networking/v1.HTTPIngressRuleValue 1:paths:*networking/v1.HTTPIngressPath
        networking/v1.IPBlock 1:cidr:s 2:except:*s:o
        networking/v1.Ingress 1:metadata:meta/v1.ObjectMeta:o 2:spec:networking/v1.IngressSpec:o 3:status:networking/v1.IngressStatus:o
        networking/v1.IngressBackend 4:service:networking/v1.IngressServiceBackend:po 3:resource:core/v1.TypedLocalObjectReference:po
        networking/v1.IngressClass 1:metadata:meta/v1.ObjectMeta:o 2:spec:networking/v1.IngressClassSpec:o
        networking/v1.IngressClassParametersReference 1:apiGroup:s:po 2:kind:s 3:name:s 4:scope:s:p 5:namespace:s:po
        networking/v1.IngressClassSpec 1:controller:s:o 2:parameters:networking/v1.IngressClassParametersReference:po
        networking/v1.IngressLoadBalancerIngress 1:ip:s:o 2:hostname:s:o 4:ports:*networking/v1.IngressPortStatus:o
        networking/v1.IngressLoadBalancerStatus 1:ingress:*networking/v1.IngressLoadBalancerIngress:o
        networking/v1.IngressPortStatus 1:port:i 2:protocol:s 3:error:s:po
        networking/v1.IngressRule 1:host:s:o 2::networking/v1.IngressRuleValue
        networking/v1.IngressRuleValue 1:http:networking/v1.HTTPIngressRuleValue:po
        networking/v1.IngressServiceBackend 1:name:s 2:port:networking/v1.ServiceBackendPort:o
        networking/v1.IngressSpec 4:ingressClassName:s:po 1:defaultBackend:networking/v1.IngressBackend:po 2:tls:*networking/v1.IngressTLS:o 3:rules:*networking/v1.IngressRule:o
        networking/v1.IngressStatus 1:loadBalancer:networking/v1.IngressLoadBalancerStatus:o
        networking/v1.IngressTLS 1:hosts:*s:o 2:secretName:s:o
        networking/v1.NetworkPolicy 1:metadata:meta/v1.ObjectMeta:o 2:spec:networking/v1.NetworkPolicySpec:o
        networking/v1.NetworkPolicyEgressRule 1:ports:*networking/v1.NetworkPolicyPort:o 2:to:*networking/v1.NetworkPolicyPeer:o
        networking/v1.NetworkPolicyIngressRule 1:ports:*networking/v1.NetworkPolicyPort:o 2:from:*networking/v1.NetworkPolicyPeer:o
        networking/v1.NetworkPolicyPeer 1:podSelector:meta/v1.LabelSelector:po 2:namespaceSelector:meta/v1.LabelSelector:po 3:ipBlock:networking/v1.IPBlock:po
        networking/v1.NetworkPolicyPort 1:protocol:s:po 2:port:I:po 3:endPort:i:po
        networking/v1.NetworkPolicySpec 1:podSelector:meta/v1.LabelSelector 2:ingress:*networking/v1.NetworkPolicyIngressRule:o 3:egress:*networking/v1.NetworkPolicyEgressRule:o 4:policyTypes:*s:o
        networking/v1.ServiceBackendPort 1:name:s:o 2:number:i:o
        node/v1.Overhead 1:podFixed:%Q:o
        node/v1.RuntimeClass 1:metadata:meta/v1.ObjectMeta:o 2:handler:s 3:overhead:node/v1.Overhead:po 4:scheduling:node/v1.Scheduling:po
        node/v1.Scheduling 1:nodeSelector:%s:o 2:tolerations:*core/v1.Toleration:o
        policy/v1.Eviction 1:metadata:meta/v1.ObjectMeta:o 2:deleteOptions:meta/v1.DeleteOptions:po
        policy/v1.PodDisruptionBudget 1:metadata:meta/v1.ObjectMeta:o 2:spec:policy/v1.PodDisruptionBudgetSpec:o 3:status:policy/v1.PodDisruptionBudgetStatus:o
        policy/v1.PodDisruptionBudgetSpec 1:minAvailable:I:po 2:selector:meta/v1.LabelSelector:po 3:maxUnavailable:I:po 4:unhealthyPodEvictionPolicy:s:po
        policy/v1.PodDisruptionBudgetStatus 1:observedGeneration:i:o 2:disruptedPods:%T:o 3:disruptionsAllowed:i 4:currentHealthy:i 5:desiredHealthy:i 6:expectedPods:i 7:conditions:*meta/v1.Condition:o
        rbac/v1.AggregationRule 1:clusterRoleSelectors:*meta/v1.LabelSelector:o
        rbac/v1.ClusterRole 1:metadata:meta/v1.ObjectMeta:o 2:rules:*rbac/v1.PolicyRule 3:aggregationRule:rbac/v1.AggregationRule:po
        rbac/v1.ClusterRoleBinding 1:metadata:meta/v1.ObjectMeta:o 2:subjects:*rbac/v1.Subject:o 3:roleRef:rbac/v1.RoleRef
        rbac/v1.PolicyRule 1:verbs:*s 2:apiGroups:*s:o 3:resources:*s:o 4:resourceNames:*s:o 5:nonResourceURLs:*s:o
        rbac/v1.Role 1:metadata:meta/v1.ObjectMeta:o 2:rules:*rbac/v1.PolicyRule
        rbac/v1.RoleBinding 1:metadata:meta/v1.ObjectMeta:o 2:subjects:*rbac/v1.Subject:o 3:roleRef:rbac/v1.RoleRef
        rbac/v1.RoleRef 1:apiGroup:s 2:kind:s 3:name:s
        rbac/v1.Subject 1:kind:s 2:apiGroup:s:o 3:name:s 4:namespace:s:o
        scheduling/v1.PriorityClass 1:metadata:meta/v1.ObjectMeta:o 2:value:i 3:globalDefault:b:o 4:description:s:o 5:preemptionPolicy:s:po
        storage/v1.CSIDriver 1:metadata:meta/v1.ObjectMeta:o 2:spec:storage/v1.CSIDriverSpec
        storage/v1.CSIDriverSpec 1:attachRequired:b:po 2:podInfoOnMount:b:po 3:volumeLifecycleModes:*s:o 4:storageCapacity:b:po 5:fsGroupPolicy:s:po 6:tokenRequests:*storage/v1.TokenRequest:o 7:requiresRepublish:b:po 8:seLinuxMount:b:po 9:nodeAllocatableUpdatePeriodSeconds:i:po 10:serviceAccountTokenInSecrets:b:po 11:preventPodSchedulingIfMissing:b:po
        storage/v1.CSINode 1:metadata:meta/v1.ObjectMeta:o 2:spec:storage/v1.CSINodeSpec 3:status:storage/v1.CSINodeStatus:o
        storage/v1.CSINodeDriver 1:name:s 2:nodeID:s 3:topologyKeys:*s 4:allocatable:storage/v1.VolumeNodeResources:po
        storage/v1.CSINodeSpec 1:drivers:*storage/v1.CSINodeDriver
        storage/v1.CSINodeStatus 1:storageHealth:*storage/v1.StorageHealth:o
        storage/v1.CSIStorageCapacity 1:metadata:meta/v1.ObjectMeta:o 2:nodeTopology:meta/v1.LabelSelector:po 3:storageClassName:s 4:capacity:Q:po 5:maximumVolumeSize:Q:po
        storage/v1.StorageClass 1:metadata:meta/v1.ObjectMeta:o 2:provisioner:s 3:parameters:%s:o 4:reclaimPolicy:s:po 5:mountOptions:*s:o 6:allowVolumeExpansion:b:po 7:volumeBindingMode:s:po 8:allowedTopologies:*core/v1.TopologySelectorTerm:o
        storage/v1.StorageHealth 1:name:s 2:healthConditions:*storage/v1.StorageHealthCondition:o
        storage/v1.StorageHealthCondition 1:status:s 2:reason:s 3:message:s:o 4:accessMode:s:po 5:volumeMode:s:po 6:lastTransitionTime:T:o
        storage/v1.TokenRequest 1:audience:s 2:expirationSeconds:i:po
        storage/v1.VolumeAttachment 1:metadata:meta/v1.ObjectMeta:o 2:spec:storage/v1.VolumeAttachmentSpec 3:status:storage/v1.VolumeAttachmentStatus:o
        storage/v1.VolumeAttachmentSource 1:persistentVolumeName:s:po 2:inlineVolumeSpec:core/v1.PersistentVolumeSpec:po
        storage/v1.VolumeAttachmentSpec 1:attacher:s 2:source:storage/v1.VolumeAttachmentSource 3:nodeName:s
        storage/v1.VolumeAttachmentStatus 1:attached:b 2:attachmentMetadata:%s:o 3:attachError:storage/v1.VolumeError:po 4:detachError:storage/v1.VolumeError:po
        storage/v1.VolumeAttributesClass 1:metadata:meta/v1.ObjectMeta:o 2:driverName:s 3:parameters:%s:o
        storage/v1.VolumeError 1:time:T:o 2:message:s:o 3:errorCode:i:po
        storage/v1.VolumeNodeResources 1:count:i:po
        """
}
