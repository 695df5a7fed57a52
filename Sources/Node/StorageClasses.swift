import Catalogue
import KubeModel
import Registry

/// The class that every lab has, and how a claim finds its class.
enum StorageClasses {
    static let provisioner = "kindling.dev/local-path"
    static let defaultAnnotation = "storageclass.kubernetes.io/is-default-class"

    static let standard: JSON = [
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": ["name": "standard", "annotations": [defaultAnnotation: "true"]],
        "provisioner": .string(provisioner), "reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": true,
    ]

    /// Makes the class unless a user has made one of that name.
    static func install(_ client: Client) async throws {
        guard client.get(ObjectKey(.storageClasses, name: "standard")) == nil else { return }
        do {
            try await client.create(standard)
        } catch let error as APIStatus where error.reason == "AlreadyExists" {}
    }

    /// The claim's own class name; the default class where it names none; empty where it wants no class.
    static func name(for claim: StoredObject, _ client: Client) -> String {
        if let name = claim.spec["storageClassName"].stringValue { return name }
        return client.list(.storageClasses).first { $0.annotations[defaultAnnotation] == "true" }?.name ?? ""
    }

    static func waitsForConsumer(_ storageClass: StoredObject) -> Bool {
        storageClass.value["volumeBindingMode"].stringValue == "WaitForFirstConsumer"
    }
}
