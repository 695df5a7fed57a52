extension JSONPatch {
    /// The paths whose values a patch writes, as their tokens: those of `add`, `replace`, `move` and `copy`. What is no path
    /// is left out.
    public static func writtenPaths(of patch: JSON) -> [[String]] {
        patch.elements.compactMap { operation in
            guard ["add", "replace", "move", "copy"].contains(operation["op"].stringValue ?? ""), let path = operation["path"].stringValue else { return nil }
            return (try? JSONPointer(path))?.tokens
        }
    }
}
