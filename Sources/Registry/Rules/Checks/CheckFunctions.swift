import KubeModel

/// The rules in code that etc/schemas/checks.yaml names: each judges one value of a definition, wherever it stands.
enum CheckFunctions {
    static let all: [String: Schema.CheckFunction] = [
        "container": ContainerChecks.container,
        "environmentVariable": EnvironmentChecks.variable,
        "httpHeaders": ContainerChecks.headers,
        "securityContext": ContainerChecks.securityContext,
        "resources": ResourceChecks.requirements,
        "dns": PlacementChecks.dns,
        "toleration": PlacementChecks.toleration,
        "nodeSelectorTerm": PlacementChecks.nodeSelectorTerm,
        "labelSelector": { LabelSelector.problems(in: $0, field: $1) },
        "downwardFile": EnvironmentChecks.downwardFile,
        "volumeSource": VolumeChecks.persistentVolume,
        "networkPolicyPort": NetworkChecks.port,
        "networkPolicyPeer": NetworkChecks.peer,
        "addressBlock": NetworkChecks.block,
        "policyRule": PolicyChecks.rule,
    ]
}
