public import Catalogue
import KubeModel
public import Registry

/// What every new pod gets of its ServiceAccount: its name, its pull secrets and the volume with token, certificate and
/// namespace (upstream: plugin/pkg/admission/serviceaccount).
public enum AccountAdmission {
    public static let mountPath = "/var/run/secrets/kubernetes.io/serviceaccount"
    static let volumePrefix = "kube-api-access-"
    /// Seconds that a pod's token is good.
    static let tokenSeconds = 3607

    public static let rules: [GroupResource: KindRules] = [
        .pods: KindRules(
            applyDefaults: { pod, old, context in if old == nil { try admit(&pod, context) } },
            validate: { pod, old, _ in old == nil ? tokenCauses(pod["spec"]["volumes"]) : [] }),
        .secrets: KindRules(validate: { secret, _, _ in validate(secret) }),
    ]

    private static func admit(_ pod: inout JSON, _ context: KindRules.Context) throws(APIStatus) {
        let name = pod["spec"]["serviceAccountName"].stringValue.flatMap { $0.isEmpty ? nil : $0 } ?? "default"
        pod["spec"]["serviceAccountName"] = .string(name)
        pod["spec"]["serviceAccount"] = .string(name)
        let account = context.catalogue.get(ObjectKey(.serviceAccounts, namespace: context.namespace, name: name))
        // Every namespace has a default account, in a moment if not yet: the kubelet waits for it.
        if account == nil, name != "default" {
            throw .forbidden(
                "pods", group: "", name: pod["metadata"]["name"].stringValue ?? "",
                "error looking up service account \(context.namespace)/\(name): serviceaccount \(GoText.quoted(name)) not found")
        }
        if pod["spec"]["imagePullSecrets"].elements.isEmpty, let secrets = account?.value["imagePullSecrets"], !secrets.elements.isEmpty {
            pod["spec"]["imagePullSecrets"] = secrets
        }
        if pod["spec"]["automountServiceAccountToken"].boolValue ?? account?.value["automountServiceAccountToken"].boolValue ?? true {
            mountToken(&pod["spec"])
        }
    }

    /// Adds the volume where a container lacks a mount of its own at that path.
    private static func mountToken(_ spec: inout JSON) {
        let existing = spec["volumes"].elements.compactMap { $0["name"].stringValue }
        let found = existing.first { $0.hasPrefix(volumePrefix) }
        let volume = found ?? GenerateName.name(base: volumePrefix)
        let mount: JSON = ["name": .string(volume), "readOnly": true, "mountPath": .string(mountPath)]
        var isUsed = false
        for list in ["initContainers", "containers"] {
            var containers = spec[list].elements
            for index in containers.indices where !containers[index]["volumeMounts"].elements.contains(where: { $0["mountPath"].stringValue == mountPath }) {
                containers[index]["volumeMounts"] = .array(containers[index]["volumeMounts"].elements + [mount])
                isUsed = true
            }
            if !containers.isEmpty { spec[list] = .array(containers) }
        }
        if isUsed, found == nil { spec["volumes"] = .array(spec["volumes"].elements + [tokenVolume(volume)]) }
    }

    private static func tokenVolume(_ name: String) -> JSON {
        [
            "name": .string(name),
            "projected": [
                "sources": [
                    ["serviceAccountToken": ["expirationSeconds": JSON(tokenSeconds), "path": "token"]],
                    ["configMap": ["name": "kube-root-ca.crt", "items": [["key": "ca.crt", "path": "ca.crt"]]]],
                    ["downwardAPI": ["items": [["path": "namespace", "fieldRef": ["apiVersion": "v1", "fieldPath": "metadata.namespace"]]]]],
                ], "defaultMode": 420,
            ],
        ]
    }

    /// Upstream: pkg/apis/core/validation, validateProjectionSources.
    private static func tokenCauses(_ volumes: JSON) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        for (index, volume) in volumes.elements.enumerated() {
            for (number, source) in volume["projected"]["sources"].elements.enumerated() where !source["serviceAccountToken"].isNull {
                let token = source["serviceAccountToken"]
                let field = "spec.volumes[\(index)].projected.sources[\(number)].serviceAccountToken"
                let seconds = token["expirationSeconds"].intValue ?? tokenSeconds
                if seconds < TokenIssuer.lifetimes.lowerBound {
                    causes.append(.invalid("\(field).expirationSeconds", JSON(seconds), "may not specify a duration less than 10 minutes"))
                } else if seconds > TokenIssuer.lifetimes.upperBound {
                    causes.append(.invalid("\(field).expirationSeconds", JSON(seconds), "may not specify a duration larger than 2^32 seconds"))
                }
                if (token["path"].stringValue ?? "").isEmpty { causes.append(.required("\(field).path")) }
            }
        }
        return causes
    }

    /// A Secret for a token must say whose (upstream: pkg/apis/core/validation, ValidateSecret).
    private static func validate(_ secret: JSON) -> [APIStatus.Cause] {
        guard secret["type"].stringValue == AccountSecret.type else { return [] }
        if secret["metadata"]["annotations"][AccountSecret.nameAnnotation].stringValue?.isEmpty ?? true {
            return [.required("metadata.annotations[\(AccountSecret.nameAnnotation)]")]
        }
        return []
    }
}

/// Words of Secrets that hold a ServiceAccount's token.
public enum AccountSecret {
    public static let type = "kubernetes.io/service-account-token"
    public static let nameAnnotation = "kubernetes.io/service-account.name"
    public static let uidAnnotation = "kubernetes.io/service-account.uid"
}
