/// Group versions that the server answers but of which nothing is stored.
public enum AnsweredGroups {
    public static let all: [(group: String, version: String)] = {
        var found: [(group: String, version: String)] = []
        for resource in AccessReviews.served + MetricsAPI.served where !found.contains(where: { $0.group == resource.group && $0.version == resource.version }) {
            found.append((resource.group, resource.version))
        }
        return found
    }()
}
