import Access
import Dispatch
import Glibc
public import Logging
import Synchronization

/// Users of a file with bcrypt hashes. The file is read again when it changes. What a check found is remembered for a short
/// while, by the token's hash under a key of this process; checks run one at a time, so wrong tokens cost one core at most.
public final class UsersFileAuthenticator: Authenticator {
    private struct Remembered {
        let user: User?
        let until: ContinuousClock.Instant
    }

    private struct State {
        var stamp = Stamp()
        var file = UsersFile("")
        var remembered: [TokenDigest: Remembered] = [:]
        var waiting = 0
    }

    /// What tells one state of the file from another.
    private struct Stamp: Equatable {
        var inode: UInt = 0
        var size = 0
        var seconds = 0
        var nanoseconds = 0
    }

    private static let rememberKnown: Duration = .seconds(60)
    private static let rememberUnknown: Duration = .seconds(10)
    private static let rememberedTokens = 1024
    private static let longestQueue = 64
    /// bcrypt looks at no more.
    private static let longestSecret = 72
    /// Stands in for a user that is not there, so that the time of an answer does not tell who is.
    private static let nobody = "$2b$10$CwTycUXWue0Thq9StjUM0uJ8.0Z0rM3nY3eQy8ZrCkzM5oS4Yk5rK"

    private let path: String
    private let logger: Logger
    private let state = Mutex(State())
    private let digests = TokenDigest.Maker()
    private let queue = DispatchQueue(label: "kindling.bcrypt")

    public init(path: String, logger: Logger) {
        self.path = path
        self.logger = logger
    }

    public func authenticate(_ credentials: Credentials) async -> User? {
        guard let token = credentials.bearerToken, let colon = token.firstIndex(of: ":") else { return nil }
        let (name, secret) = (String(token[..<colon]), String(token[token.index(after: colon)...]))
        guard !name.isEmpty, (1...Self.longestSecret).contains(secret.utf8.count), !secret.utf8.contains(0) else { return nil }
        refresh()
        let digest = digests.digest(of: token)
        let now = ContinuousClock.now
        let (known, entry) = state.withLock { ($0.remembered[digest], $0.file.entries[name]) }
        if let known, known.until > now { return known.user }
        guard enter() else { return nil }
        let hash = entry?.hash ?? Self.nobody
        let isRight = await withCheckedContinuation { done in
            queue.async { done.resume(returning: Bcrypt.matches(secret, hash: hash)) }
        }
        let user = isRight ? entry?.user : nil
        state.withLock { state in
            state.waiting -= 1
            // The file may have changed meanwhile: what was found belongs to the old one.
            guard state.file.entries[name] == entry else { return }
            if state.remembered.count >= Self.rememberedTokens { state.remembered.removeAll(keepingCapacity: true) }
            let time = user == nil ? Self.rememberUnknown : Self.rememberKnown
            state.remembered[digest] = Remembered(user: user, until: ContinuousClock.now + time)
        }
        return user
    }

    /// - Returns: false where too many checks wait already.
    private func enter() -> Bool {
        state.withLock { state in
            guard state.waiting < Self.longestQueue else { return false }
            state.waiting += 1
            return true
        }
    }

    /// Reads the file where it is not the one that was read last; what was remembered goes with the old one.
    private func refresh() {
        var status = stat()
        let isThere = stat(path, &status) == 0
        let stamp =
            isThere
            ? Stamp(inode: UInt(status.st_ino), size: Int(status.st_size), seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
            : Stamp()
        if state.withLock({ $0.stamp == stamp }) { return }
        let file = UsersFile(isThere ? Self.text(path) : "")
        if !file.badLines.isEmpty {
            logger.warning(
                "lines of the users file are left out: expected NAME:BCRYPT[:UID[:GROUP,GROUP]]",
                metadata: ["path": "\(path)", "lines": "\(file.badLines)"])
        }
        state.withLock { state in
            state.stamp = stamp
            state.file = file
            state.remembered = [:]
        }
    }

    private static func text(_ path: String) -> String {
        guard let file = fopen(path, "re") else { return "" }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk[..<count]
        }
    }
}
