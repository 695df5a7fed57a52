import CSandbox
import Glibc

/// The user and group ids that the daemon's own user namespace has, and what of them a container gets.
struct IdentityMap: Sendable {
    struct Extent: Sendable, Equatable {
        var inside: UInt64
        var count: UInt64
    }
    /// How one container comes by its user namespace.
    struct Choice: Sendable {
        /// Maps for a namespace of its own; nil when it joins the shared one.
        var ownMaps: (users: String, groups: String)?
        var denySetgroups: Bool
    }

    let users: [Extent]
    let groups: [Extent]
    let denySetgroups: Bool

    /// Reads the calling process's maps.
    static func current() throws(SandboxError) -> IdentityMap {
        let users = try parse(try readSmallFile("/proc/self/uid_map"))
        let groups = try parse(try readSmallFile("/proc/self/gid_map"))
        let deny = try readSmallFile("/proc/self/setgroups").hasPrefix("deny")
        return IdentityMap(users: users, groups: groups, denySetgroups: deny)
    }

    static func parse(_ text: String) throws(SandboxError) -> [Extent] {
        var extents: [Extent] = []
        for line in text.split(separator: "\n") {
            let fields = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).compactMap { UInt64($0) }
            guard fields.count == 3 else {
                throw .invalidSpec("an id map line has three numbers; found \"\(line)\"")
            }
            extents.append(Extent(inside: fields[0], count: fields[2]))
        }
        guard !extents.isEmpty else { throw .invalidSpec("the daemon's user namespace has no id map; write one before starting it") }
        return extents
    }

    /// Only one id exists: every user and group of a container is that one under another name.
    var isSingle: Bool { Self.total(users) == 1 || Self.total(groups) == 1 }

    /// The maps of the user namespace that containers share: every id of the daemon under its own number.
    var sharedMaps: (users: String, groups: String) { (Self.identity(users), Self.identity(groups)) }

    /// What a container of this user and group gets. With `own`, a namespace for itself though it could share one.
    func choice(user: UInt32, group: UInt32, own: Bool) throws(SandboxError) -> Choice {
        if isSingle {
            let users = "\(user) \(self.users[0].inside) 1\n"
            let groups = "\(group) \(self.groups[0].inside) 1\n"
            return Choice(ownMaps: (users, groups), denySetgroups: true)
        }
        try require(user, in: users, "user")
        try require(group, in: groups, "group")
        return Choice(ownMaps: own ? sharedMaps : nil, denySetgroups: denySetgroups)
    }

    private func require(_ id: UInt32, in extents: [Extent], _ what: String) throws(SandboxError) {
        if extents.contains(where: { UInt64(id) >= $0.inside && UInt64(id) < $0.inside + $0.count }) { return }
        let known = extents.map { "\($0.inside)-\($0.inside + $0.count - 1)" }.joined(separator: ", ")
        throw .invalidSpec(
            "\(what) \(id) does not exist here: the daemon's id map has \(known); use one of these or give it a wider range in "
                + "/etc/sub\(what == "user" ? "uid" : "gid")")
    }

    private static func total(_ extents: [Extent]) -> UInt64 { extents.reduce(0) { $0 + $1.count } }

    private static func identity(_ extents: [Extent]) -> String {
        extents.map { "\($0.inside) \($0.inside) \($0.count)\n" }.joined()
    }
}
