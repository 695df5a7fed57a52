#if canImport(Glibc)
import Glibc
#endif

/// What went wrong with the helper, a pod's network or a port. The message says what was expected, what was found and
/// what to do next.
public struct NetworkError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// No helper answers at its socket.
        case helperUnavailable
        /// The helper answered that it will not or cannot.
        case helperRefused
        /// A helper, or a labd, runs for this lab already.
        case alreadyRunning
        /// The kernel or the machine's settings forbid it.
        case notPermitted
        /// Another program listens on that port.
        case addressInUse
        /// Every address of the pods' range is taken.
        case noAddress
        /// A system call or a program failed.
        case system
        /// An answer could not be understood.
        case protocolViolation
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// An error of a system call, with the kernel's text for it.
    static func system(_ error: Int32, _ doing: String) -> NetworkError {
        let number = error < 0 ? -error : error
        let denied = number == EPERM || number == EACCES
        return NetworkError(denied ? .notPermitted : .system, "\(doing): \(String(cString: strerror(number)))")
    }

    public var description: String { message }
}
