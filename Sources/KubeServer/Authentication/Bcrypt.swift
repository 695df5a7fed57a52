import CCrypt
import Crypto

/// Passwords as libcrypt hashes them.
enum Bcrypt {
    /// Hashes a secret as another hash, or the beginning of one, says. False where the setting is malformed.
    static func hash(_ secret: String, setting: String, into output: inout [CChar]) -> Bool {
        kd_crypt(secret, setting, &output, output.count) == 0
    }

    /// Whether a secret has this hash. The comparison takes the same time wherever the two differ.
    static func matches(_ secret: String, hash: String) -> Bool {
        var output = [CChar](repeating: 0, count: 128)
        guard Self.hash(secret, setting: hash, into: &output) else { return false }
        let found = output.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        let wanted = Array(hash.utf8)
        guard found.count == wanted.count else { return false }
        return zip(found, wanted).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// Stands for a token in memory: useless to whoever reads it there.
struct TokenDigest: Hashable, Sendable {
    private let bytes: [UInt8]

    /// Makes digests under a key of its own.
    struct Maker: Sendable {
        private let key = SymmetricKey(size: .bits256)

        func digest(of token: String) -> TokenDigest {
            TokenDigest(bytes: Array(HMAC<SHA256>.authenticationCode(for: Array(token.utf8), using: key)))
        }
    }
}
