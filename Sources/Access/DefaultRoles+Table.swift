extension DefaultRoles {
    private static let edited = """
        core pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy read
        core serviceaccounts impersonate
        core pods,pods/attach,pods/exec,pods/portforward,pods/proxy write
        core pods/eviction create
        core configmaps,events,persistentvolumeclaims,replicationcontrollers,replicationcontrollers/scale,secrets,serviceaccounts,services,services/proxy write
        core serviceaccounts/token create
        apps daemonsets,deployments,deployments/rollback,deployments/scale,replicasets,replicasets/scale,statefulsets,statefulsets/scale write
        autoscaling horizontalpodautoscalers write
        batch cronjobs,jobs write
        extensions daemonsets,deployments,deployments/rollback,deployments/scale,ingresses,networkpolicies,replicasets,replicasets/scale,replicationcontrollers/scale write
        policy poddisruptionbudgets write
        networking.k8s.io ingresses,networkpolicies write
        coordination.k8s.io leases all
        """
    private static let viewed = """
        core configmaps,endpoints,persistentvolumeclaims,persistentvolumeclaims/status,pods,replicationcontrollers,replicationcontrollers/scale,serviceaccounts,services,services/status read
        core bindings,events,limitranges,namespaces/status,pods/log,pods/status,replicationcontrollers/status,resourcequotas,resourcequotas/status read
        core namespaces read
        discovery.k8s.io endpointslices read
        apps controllerrevisions,daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status read
        apps replicasets,replicasets/scale,replicasets/status,statefulsets,statefulsets/scale,statefulsets/status read
        autoscaling horizontalpodautoscalers,horizontalpodautoscalers/status read
        batch cronjobs,cronjobs/status,jobs,jobs/status read
        extensions daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,ingresses,ingresses/status read
        extensions networkpolicies,replicasets,replicasets/scale,replicasets/status,replicationcontrollers/scale read
        policy poddisruptionbudgets,poddisruptionbudgets/status read
        networking.k8s.io ingresses,ingresses/status,networkpolicies read
        """
    private static let administered = """
        authorization.k8s.io localsubjectaccessreviews create
        rbac.authorization.k8s.io rolebindings,roles all
        """
    private static let argo =
        "workflows,workflows/finalizers,workfloweventbindings,workfloweventbindings/finalizers,workflowtemplates,workflowtemplates/finalizers,"
        + "cronworkflows,cronworkflows/finalizers,clusterworkflowtemplates,clusterworkflowtemplates/finalizers,workflowtasksets,"
        + "workflowtasksets/finalizers,workflowtaskresults,workflowtaskresults/finalizers,workflowartifactgctasks,workflowartifactgctasks/finalizers"

    static let clusterRoleTable = userFacing + system + kubeflow

    private static let userFacing = """
        role cluster-admin
        * * *
        path * *
        role admin
        gathers admin
        role edit
        into admin
        gathers edit
        role view
        into edit
        gathers view
        role system:aggregate-to-admin
        into admin
        \(administered)
        role system:aggregate-to-edit
        into edit
        \(edited)
        role system:aggregate-to-view
        into view
        \(viewed)

        """

    private static let system = """
        role system:aggregated-metrics-reader
        into admin
        into edit
        into view
        metrics.k8s.io nodes,pods read
        role system:auth-delegator
        authentication.k8s.io tokenreviews create
        authorization.k8s.io subjectaccessreviews create
        role system:basic-user
        authorization.k8s.io selfsubjectaccessreviews,selfsubjectrulesreviews create
        authentication.k8s.io selfsubjectreviews create
        role system:certificates.k8s.io:certificatesigningrequests:nodeclient
        certificates.k8s.io certificatesigningrequests/nodeclient create
        role system:certificates.k8s.io:certificatesigningrequests:selfnodeclient
        certificates.k8s.io certificatesigningrequests/selfnodeclient create
        role system:certificates.k8s.io:kube-apiserver-client-approver
        certificates.k8s.io signers approve kubernetes.io/kube-apiserver-client
        role system:certificates.k8s.io:kube-apiserver-client-kubelet-approver
        certificates.k8s.io signers approve kubernetes.io/kube-apiserver-client-kubelet
        role system:certificates.k8s.io:kubelet-serving-approver
        certificates.k8s.io signers approve kubernetes.io/kubelet-serving
        role system:certificates.k8s.io:legacy-unknown-approver
        certificates.k8s.io signers approve kubernetes.io/legacy-unknown
        role system:discovery
        path /api,/api/*,/apis,/apis/*,/healthz,/livez,/openapi,/openapi/*,/readyz,/version,/version/ get
        role system:heapster
        core events,namespaces,nodes,pods read
        extensions deployments read
        role system:kube-aggregator
        core endpoints,services read
        role system:kube-controller-manager
        core,events.k8s.io events record
        coordination.k8s.io leases create
        coordination.k8s.io leases get,update kube-controller-manager
        core secrets,serviceaccounts create
        core secrets delete
        core configmaps,namespaces,secrets,serviceaccounts get
        core secrets,serviceaccounts update
        authentication.k8s.io tokenreviews create
        authorization.k8s.io subjectaccessreviews create
        * * list,watch
        core serviceaccounts/token create
        role system:kube-dns
        core endpoints,services list,watch
        discovery.k8s.io endpointslices list,watch
        role system:kube-scheduler
        core,events.k8s.io events record
        coordination.k8s.io leases create
        coordination.k8s.io leases get,update kube-scheduler
        core nodes read
        core pods delete,read
        core bindings,pods/binding create
        core pods/status patch,update
        core replicationcontrollers,services read
        apps,extensions replicasets read
        apps statefulsets read
        policy poddisruptionbudgets read
        core persistentvolumeclaims,persistentvolumes read
        authentication.k8s.io tokenreviews create
        authorization.k8s.io subjectaccessreviews create
        storage.k8s.io csinodes read
        core namespaces read
        storage.k8s.io csidrivers read
        storage.k8s.io csistoragecapacities read
        role system:kubelet-api-admin
        core nodes read
        core nodes proxy
        core nodes/log,nodes/metrics,nodes/proxy,nodes/stats *
        role system:monitoring
        path /healthz,/healthz/*,/livez,/livez/*,/metrics,/metrics/slis,/readyz,/readyz/* get
        role system:node
        authentication.k8s.io tokenreviews create
        authorization.k8s.io localsubjectaccessreviews,subjectaccessreviews create
        core services read
        core nodes create,read
        core nodes/status patch,update
        core nodes patch,update
        core events record
        core pods read
        core pods create,delete
        core pods/status patch,update
        core pods/eviction create
        core configmaps,secrets read
        core persistentvolumeclaims,persistentvolumes get
        core endpoints get
        certificates.k8s.io certificatesigningrequests create,read
        coordination.k8s.io leases create,delete,get,patch,update
        storage.k8s.io volumeattachments get
        core serviceaccounts/token create
        core persistentvolumeclaims/status get,patch,update
        storage.k8s.io csidrivers read
        storage.k8s.io csinodes create,delete,get,patch,update
        node.k8s.io runtimeclasses read
        role system:node-bootstrapper
        certificates.k8s.io certificatesigningrequests create,read
        role system:node-problem-detector
        core nodes get
        core nodes/status patch
        core,events.k8s.io events record
        role system:node-proxier
        core endpoints,services list,watch
        core nodes read
        core,events.k8s.io events record
        discovery.k8s.io endpointslices list,watch
        role system:persistent-volume-provisioner
        core persistentvolumes create,delete,read
        core persistentvolumeclaims read,update
        storage.k8s.io storageclasses read
        core events watch
        core,events.k8s.io events record
        role system:public-info-viewer
        path /healthz,/livez,/readyz,/version,/version/ get
        role system:service-account-issuer-discovery
        path /.well-known/openid-configuration,/.well-known/openid-configuration/,/openid/v1/jwks,/openid/v1/jwks/ get
        role system:volume-scheduler
        core persistentvolumes patch,read,update
        storage.k8s.io storageclasses read
        core persistentvolumeclaims patch,read,update

        """

    private static let kubeflow = """
        role kubeflow-admin
        gathers kubeflow-admin
        role kubeflow-edit
        into kubeflow-admin
        gathers kubeflow-edit
        role kubeflow-view
        into kubeflow-edit
        gathers kubeflow-view
        role kubeflow-kubernetes-admin
        into kubeflow-admin
        \(administered)
        role kubeflow-kubernetes-edit
        into kubeflow-edit
        \(edited)
        role kubeflow-kubernetes-view
        into kubeflow-view
        \(viewed)
        role kubeflow-katib-admin
        into kubeflow-admin
        gathers kubeflow-katib-admin
        role kubeflow-katib-edit
        into kubeflow-edit
        into kubeflow-katib-admin
        kubeflow.org experiments,suggestions,trials all
        role kubeflow-katib-view
        into kubeflow-view
        kubeflow.org experiments,suggestions,trials read
        role notebook-controller-kubeflow-notebooks-admin
        into kubeflow-admin
        gathers kubeflow-notebooks-admin
        role notebook-controller-kubeflow-notebooks-edit
        into kubeflow-edit
        into kubeflow-notebooks-admin
        kubeflow.org notebooks,notebooks/status all
        role notebook-controller-kubeflow-notebooks-view
        into kubeflow-view
        kubeflow.org notebooks,notebooks/status read
        role argo-aggregate-to-admin
        into admin
        argoproj.io \(argo) all
        role argo-aggregate-to-edit
        into edit
        into kubeflow-edit
        argoproj.io \(argo) all
        role argo-aggregate-to-view
        into view
        into kubeflow-view
        argoproj.io \(argo) read

        """
}
