import KubeModel

/// The roles of upstream's controllers, each bound to the ServiceAccount of its name in kube-system (upstream: bootstrappolicy
/// controller_policy.go, those of Kubernetes 1.32). The lab's own controllers need none: whoever brings a controller of his own finds
/// the role that a real cluster would have for it.
extension DefaultRoles {
    private static let prefix = "system:controller:"

    static let controllerRoles: [JSON] = parse(controllerTable)

    static let controllerBindings: [JSON] = controllerRoles.compactMap { role in
        guard let name = role["metadata"]["name"].stringValue else { return nil }
        return binding(name, [["kind": "ServiceAccount", "name": .string(String(name.dropFirst(prefix.count))), "namespace": "kube-system"]])
    }

    /// Without the prefix, and without what nearly all have: the right to write Events.
    private static let controllerTable = rows.split(separator: "\n").map { line in
        guard line.hasPrefix("role ") else { return String(line) }
        let name = line.dropFirst("role ".count)
        let events = silent.contains(String(name)) ? "" : "\ncore,events.k8s.io events record"
        return "role \(prefix)\(name)\(events)"
    }.joined(separator: "\n")

    private static let silent: Set<String> = [
        "clusterrole-aggregation-controller", "legacy-service-account-token-cleaner", "namespace-controller", "pod-garbage-collector",
    ]

    private static let rows = """
        role attachdetach-controller
        core persistentvolumeclaims,persistentvolumes list,watch
        core nodes read
        core nodes/status patch,update
        core pods list,watch
        storage.k8s.io volumeattachments create,delete,read
        storage.k8s.io csidrivers,csinodes read
        role certificate-controller
        certificates.k8s.io certificatesigningrequests delete,read
        certificates.k8s.io certificatesigningrequests/approval,certificatesigningrequests/status update
        certificates.k8s.io signers approve kubernetes.io/kube-apiserver-client-kubelet
        certificates.k8s.io signers sign kubernetes.io/kube-apiserver-client,kubernetes.io/kube-apiserver-client-kubelet,kubernetes.io/kubelet-serving,kubernetes.io/legacy-unknown
        authorization.k8s.io subjectaccessreviews create
        role clusterrole-aggregation-controller
        rbac.authorization.k8s.io clusterroles escalate,patch,read,update
        role cronjob-controller
        batch cronjobs read,update
        batch jobs create,delete,patch,read,update
        batch cronjobs/status,cronjobs/finalizers update
        core pods delete,list,watch
        role daemon-set-controller
        apps,extensions daemonsets read
        apps,extensions daemonsets/status,daemonsets/finalizers update
        core nodes list,watch
        core pods create,delete,list,patch,watch
        core pods/binding create
        apps controllerrevisions create,delete,patch,read,update
        role deployment-controller
        apps,extensions deployments read,update
        apps,extensions deployments/status,deployments/finalizers update
        apps,extensions replicasets create,delete,patch,read,update
        core pods read,update
        role disruption-controller
        apps,extensions deployments,replicasets read
        core replicationcontrollers read
        policy poddisruptionbudgets read
        apps statefulsets read
        policy poddisruptionbudgets/status update
        core pods/status patch,update
        * */scale get
        role endpoint-controller
        core pods,services read
        core endpoints create,delete,read,update
        core endpoints/restricted create
        role endpointslice-controller
        core nodes,pods,services read
        core services/finalizers update
        discovery.k8s.io endpointslices create,delete,read,update
        role endpointslicemirroring-controller
        core endpoints,services read
        core services/finalizers,endpoints/finalizers update
        discovery.k8s.io endpointslices create,delete,read,update
        role ephemeral-volume-controller
        core pods read
        core pods/finalizers update
        core persistentvolumeclaims create,read
        role expand-controller
        core persistentvolumes patch,read,update
        core persistentvolumeclaims/status patch,update
        core persistentvolumeclaims read
        role generic-garbage-collector
        * * delete,patch,read,update
        role horizontal-pod-autoscaler
        autoscaling horizontalpodautoscalers read
        autoscaling horizontalpodautoscalers/status update
        * */scale get,update
        core pods list,watch
        metrics.k8s.io pods list
        custom.metrics.k8s.io,external.metrics.k8s.io * get,list
        role job-controller
        batch jobs patch,read,update
        batch jobs/status,jobs/finalizers update
        core pods create,delete,list,patch,watch
        role legacy-service-account-token-cleaner
        core configmaps get kube-apiserver-legacy-service-account-token-tracking
        core secrets delete,patch
        role namespace-controller
        core namespaces delete,read
        core namespaces/finalize,namespaces/status update
        * * delete,deletecollection,read
        role node-controller
        core nodes delete,patch,read,update
        core nodes/status patch,update
        core pods/status patch,update
        core pods delete,read
        role persistent-volume-binder
        core persistentvolumes create,delete,read,update
        core persistentvolumes/status update
        core persistentvolumeclaims read,update
        core persistentvolumeclaims/status update
        core pods create,delete,read
        storage.k8s.io storageclasses read
        core nodes list,watch
        core events watch
        role pod-garbage-collector
        core pods delete,list,watch
        core nodes read
        core pods/status patch
        role pv-protection-controller
        core persistentvolumes read,update
        role pvc-protection-controller
        core persistentvolumeclaims read,update
        core pods read
        role replicaset-controller
        apps,extensions replicasets read,update
        apps,extensions replicasets/status,replicasets/finalizers update
        core pods create,delete,list,patch,watch
        role replication-controller
        core replicationcontrollers read,update
        core replicationcontrollers/status,replicationcontrollers/finalizers update
        core pods create,delete,list,patch,watch
        role resourcequota-controller
        * * list,watch
        core resourcequotas/status update
        role root-ca-cert-publisher
        core configmaps create,update
        role route-controller
        core nodes list,watch
        core nodes/status patch
        role service-account-controller
        core serviceaccounts create
        role service-controller
        core services read
        core services/status patch,update
        core nodes list,watch
        role statefulset-controller
        core pods create,delete,patch,read,update
        apps statefulsets read
        apps statefulsets/status,statefulsets/finalizers update
        apps controllerrevisions create,delete,patch,read,update
        core persistentvolumeclaims create,delete,read,update
        core pods/finalizers update
        role ttl-after-finished-controller
        batch jobs delete,read
        role ttl-controller
        core nodes list,patch,update,watch
        role validatingadmissionpolicy-status-controller
        admissionregistration.k8s.io validatingadmissionpolicies read
        admissionregistration.k8s.io validatingadmissionpolicies/status get,patch,update
        """
}
