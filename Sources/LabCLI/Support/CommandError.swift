import AsyncHTTPClient
import KubeModel
import NIOCore

/// Why a command failed: one line that says what was expected, what was found and what to do next.
struct CommandError: Error, CustomStringConvertible, Equatable {
    let message: String
    /// The exit status of the program.
    var status: Int32 = 1
    /// The API's reason, such as `NotFound`, where the API refused.
    var reason = ""

    init(_ message: String, status: Int32 = 1, reason: String = "") {
        self.message = message
        self.status = status
        self.reason = reason
    }

    var description: String { message }

    /// The words for an error of any kind, on one line.
    static func describe(_ error: any Error) -> String {
        switch error {
        case let known as CommandError: known.message
        case let status as APIStatus: status.message
        case is CancellationError: "interrupted"
        case let network as ChannelError: "the connection failed: \(network)"
        default: "\(error)".split(whereSeparator: \.isNewline).joined(separator: " ")
        }
    }
}
