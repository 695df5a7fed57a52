public import Catalogue
public import KubeModel

/// Owner references as controllers write them (`metav1.NewControllerRef`).
public enum Owners {
    /// A reference that makes an object the controller of what carries it; its end is the dependent's end.
    public static func reference(to owner: StoredObject) -> JSON {
        [
            "apiVersion": owner.value["apiVersion"], "kind": owner.value["kind"], "name": .string(owner.name), "uid": .string(owner.uid),
            "controller": true, "blockOwnerDeletion": true,
        ]
    }
}
