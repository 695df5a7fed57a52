import KubeModel

/// The kubeconfig of a lab: one cluster, user and context, all named `kindling`, with the certificates inside.
public enum Kubeconfig {
    public static let name = "kindling"

    /// - Parameter port: of the API on the loopback address.
    public static func make(port: Int, authority: String, admin: Authority.Credential) -> JSON {
        [
            "apiVersion": "v1", "kind": "Config",
            "clusters": [
                [
                    "name": .string(name),
                    "cluster": ["server": .string("https://127.0.0.1:\(port)"), "certificate-authority-data": .string(Base64.encode(authority))],
                ]
            ],
            "users": [
                [
                    "name": .string(name),
                    "user": [
                        "client-certificate-data": .string(Base64.encode(admin.certificate)), "client-key-data": .string(Base64.encode(admin.key)),
                    ],
                ]
            ], "contexts": [["name": .string(name), "context": ["cluster": .string(name), "user": .string(name), "namespace": "default"]]],
            "current-context": .string(name), "preferences": [:],
        ]
    }

    /// A user's own kubeconfig with the lab's cluster, user and context put in; everything else stays, the current context
    /// too unless there is none.
    /// - Parameter name: what cluster, user and context are called there.
    public static func merge(_ lab: JSON, into user: JSON, as name: String = name) -> JSON {
        var merged = user
        if merged["apiVersion"].isNull { merged["apiVersion"] = "v1" }
        if merged["kind"].isNull { merged["kind"] = "Config" }
        for list in ["clusters", "users", "contexts"] {
            let others = merged[list].elements.filter { $0["name"].stringValue != name }
            merged[list] = .array(others + lab[list].elements.map { renamed($0, name) })
        }
        if merged["current-context"].stringValue?.isEmpty ?? true { merged["current-context"] = .string(name) }
        return merged
    }

    private static func renamed(_ entry: JSON, _ name: String) -> JSON {
        var entry = entry
        entry["name"] = .string(name)
        for field in ["cluster", "user"] where entry["context"][field].stringValue != nil { entry["context"][field] = .string(name) }
        return entry
    }
}
