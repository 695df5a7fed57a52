/// The order of API versions: v2, v1, v1beta2, v1beta1, v1alpha1, then the rest by name (apimachinery/pkg/version).
struct VersionPriority: Comparable {
    /// 3 stable, 2 beta, 1 alpha, 0 anything else.
    private let stability: Int
    private let major: Int
    private let minor: Int
    private let name: String

    init(_ version: String) {
        name = version
        var parsed = (stability: 0, major: 0, minor: 0)
        if let match = version.wholeMatch(of: /v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?/), let major = Int(match.1) {
            switch match.2 {
            case nil: parsed = (3, major, 0)
            case "beta": parsed = (2, major, match.3.flatMap { Int($0) } ?? 0)
            default: parsed = (1, major, match.3.flatMap { Int($0) } ?? 0)
            }
        }
        (stability, major, minor) = parsed
    }

    static func < (left: VersionPriority, right: VersionPriority) -> Bool {
        if left.stability == 0, right.stability == 0 { return left.name > right.name }
        return (left.stability, left.major, left.minor) < (right.stability, right.major, right.minor)
    }
}
