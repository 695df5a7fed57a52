import Catalogue
import KubeModel
import Registry

/// The slices of one Service by one controller: brings those that are there to what is wanted.
struct EndpointSliceSet {
    let client: Client
    /// Labels of every slice.
    let labels: JSON
    /// Makes the object of a slice.
    let object: (EndpointSlicePlan.Slice) -> JSON

    /// Slices that are there are used again: watchers see a change and no coming and going.
    func settle(_ wanted: [EndpointSlicePlan.Slice], over existing: [StoredObject]) async throws {
        let labels = labels
        var wanted = wanted
        var spare: [StoredObject] = []
        for slice in existing {
            let found = EndpointSlicePlan.Slice(
                addressType: slice.value["addressType"].stringValue ?? "", ports: slice.value["ports"].elements, endpoints: slice.value["endpoints"].elements)
            if slice.metadata["labels"] == labels, let index = wanted.firstIndex(of: found) { wanted.remove(at: index) } else { spare.append(slice) }
        }
        for slice in wanted {
            if let index = spare.lastIndex(where: { $0.value["addressType"].stringValue == slice.addressType }) {
                let reused = spare.remove(at: index)
                try await client.update(reused.key, uid: reused.uid) { value in
                    value["endpoints"] = .array(slice.endpoints)
                    value["ports"] = .array(slice.ports)
                    value["metadata"]["labels"] = labels
                }
            } else {
                do { try await client.create(object(slice)) } catch let problem as APIStatus where problem.isNamespaceTerminating || problem.isNotFound {}
            }
        }
        for slice in spare { try await client.delete(slice.key, uid: slice.uid) }
    }
}
