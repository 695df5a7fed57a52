import KubeModel

/// Defaults that depend on other fields, by the names that schemas give them (etc/schemas/README.md).
enum DefaultFunctions {
    static let all: [String: Schema.DefaultFunction] = [
        "imagePullPolicy": { container in
            if container["imagePullPolicy"].isNull {
                container["imagePullPolicy"] = hasLatestTag(container["image"].stringValue ?? "") ? "Always" : "IfNotPresent"
            }
        },
        "requestsFromLimits": { resources in
            for (name, limit) in resources["limits"].members where resources["requests"][name].isNull { resources["requests"][name] = limit }
        },
    ]

    /// Whether an image reference has the tag `latest`, or neither tag nor digest (pkg/util/parsers).
    static func hasLatestTag(_ image: String) -> Bool {
        if image.contains("@") { return false }
        guard let last = image.split(separator: "/").last, let colon = last.firstIndex(of: ":") else { return true }
        return last[last.index(after: colon)...] == "latest"
    }
}
