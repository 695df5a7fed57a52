@testable import Catalogue
import KubeModel

/// Stored objects without a store.
enum TestCatalogue {
    static func object(_ key: ObjectKey, _ value: JSON) -> StoredObject { StoredObject(key: key, revision: 1, value: value, intent: nil) }
}
