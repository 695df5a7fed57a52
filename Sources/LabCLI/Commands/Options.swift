import ArgumentParser
import KubeModel

/// `-n`, where a command is about one namespace.
struct NamespaceOption: ParsableArguments {
    @Option(
        name: [.short, .long],
        help: ArgumentHelp("The namespace; without it the kubeconfig's one, at first 'default'.", valueName: "namespace"))
    var namespace: String?

    func resolved(_ client: APIClient) -> String { namespace ?? client.defaultNamespace }
}

/// What a user named: `pod x`, `pod/x`, `job.batch/y`.
struct ObjectReference: Sendable, Equatable {
    var kind: String
    var name: String

    /// Reads `KIND/NAME` words, or a kind followed by names.
    static func parse(_ words: [String]) throws(CommandError) -> [ObjectReference] {
        if words.contains(where: { $0.contains("/") }) {
            var references: [ObjectReference] = []
            for word in words {
                let parts = word.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
                guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
                    throw CommandError("expected KIND/NAME, found '\(word)'", status: 64)
                }
                references.append(ObjectReference(kind: parts[0], name: parts[1]))
            }
            return references
        }
        guard words.count >= 2 else { throw CommandError("expected KIND NAME or KIND/NAME, found '\(words.first ?? "")'", status: 64) }
        return words.dropFirst().map { ObjectReference(kind: words[0], name: $0) }
    }
}
