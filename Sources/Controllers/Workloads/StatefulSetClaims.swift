import Catalogue
import KubeModel
import Registry

/// Who a StatefulSet's claims go with (`persistentVolumeClaimRetentionPolicy`): owner references of set or pod, by which the
/// garbage collector works (upstream: pkg/controller/statefulset/stateful_set_utils.go, updateClaimOwnerRefForSetAndPod).
struct StatefulSetClaims {
    let client: Client
    let set: StoredObject

    /// What the policy makes of one claim.
    struct Wish: Equatable {
        /// Deleting the set deletes it.
        var bySet: Bool
        /// Deleting the pod, which is being scaled away, deletes it.
        var byPod: Bool

        /// - Parameter isCondemned: whether the pod is beyond the wanted replicas.
        init(_ policy: JSON, isCondemned: Bool) {
            let whenDeleted = policy["whenDeleted"].stringValue == "Delete"
            let whenScaled = policy["whenScaled"].stringValue == "Delete"
            byPod = whenScaled && isCondemned
            bySet = whenDeleted && !byPod
        }
    }

    func keep(pods: [StoredObject], _ facts: StatefulSetFacts) async throws {
        let policy = set.spec["persistentVolumeClaimRetentionPolicy"]
        guard !set.spec["volumeClaimTemplates"].elements.isEmpty, !set.isBeingDeleted else { return }
        let wanted = facts.start..<(facts.start + max(0, facts.replicas))
        for pod in pods {
            guard let ordinal = facts.ordinal(of: pod.name) else { continue }
            let owners = Wish(policy, isCondemned: !wanted.contains(ordinal))
            for claim in StatefulSetPods.claimNames(of: set, ordinal: ordinal) { try await set(owners, of: claim.name, pod) }
        }
    }

    private func set(_ owners: Wish, of claim: String, _ pod: StoredObject) async throws {
        let references = [(set, owners.bySet), (pod, owners.byPod)].map { (uid: $0.uid, reference: Owners.reference(to: $0), isWanted: $1) }
        try await client.update(ObjectKey(.persistentVolumeClaims, namespace: set.namespace, name: claim)) { value in
            var list = value["metadata"]["ownerReferences"].elements
            for entry in references {
                let isThere = list.contains { $0["uid"].stringValue == entry.uid }
                if entry.isWanted, !isThere { list.append(entry.reference) }
                if !entry.isWanted, isThere { list.removeAll { $0["uid"].stringValue == entry.uid } }
            }
            if list != value["metadata"]["ownerReferences"].elements {
                value["metadata"].assign("ownerReferences", list.isEmpty ? .null : .array(list))
            }
        }
    }
}
