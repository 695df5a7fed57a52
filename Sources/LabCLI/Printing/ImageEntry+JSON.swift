import Images
import KubeModel

extension ImageEntry {
    /// A row of `lab image list -o json`.
    var json: JSON {
        [
            "image": .string(image), "environment": .string(environment), "file": .string(file), "origin": .string(origin.rawValue),
            "summary": .string(summary), "ready": JSON(problem == nil), "problem": problem.map { .string($0.description) } ?? .null,
        ]
    }
}
