/// The users that an image knows: the uppermost layer's `/etc/passwd`.
struct PasswordFile {
    struct User: Equatable {
        var name: String
        var user: UInt32
        var group: UInt32
        var home: String
    }

    private let users: [User]

    /// - Parameter layers: directories, uppermost first.
    init(layers: [String]) {
        for layer in layers {
            // Not through a link: a layer must not show us a file of the host's.
            guard !layer.isEmpty, Files.linkTarget("\(layer)/etc") == nil, Files.linkTarget("\(layer)/etc/passwd") == nil,
                let text = Files.text("\(layer)/etc/passwd")
            else { continue }
            self.init(text)
            return
        }
        self.init("")
    }

    init(_ text: String) {
        users = text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            guard fields.count >= 6, let user = UInt32(fields[2]), let group = UInt32(fields[3]) else { return nil }
            return User(name: String(fields[0]), user: user, group: group, home: String(fields[5]))
        }
    }

    func user(named name: some StringProtocol) -> User? { users.first { $0.name == name } }
    func user(_ number: UInt32) -> User? { users.first { $0.user == number } }
}
