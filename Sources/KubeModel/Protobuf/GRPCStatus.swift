/// How a gRPC call ended, where it is no success: a code and words (grpc.io: statuscodes).
public struct GRPCStatus: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: Int, Sendable {
        case ok, cancelled, unknown, invalidArgument, deadlineExceeded, notFound, alreadyExists, permissionDenied, resourceExhausted
        case failedPrecondition, aborted, outOfRange, unimplemented, internalError, unavailable, dataLoss, unauthenticated
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { "rpc error: code = \(name) desc = \(message)" }

    /// As Go writes it, whose words upstream's conditions have.
    private var name: String {
        switch code {
        case .ok: "OK"
        case .cancelled: "Canceled"
        case .internalError: "Internal"
        default: "\(code)".prefix(1).uppercased() + "\(code)".dropFirst()
        }
    }
}
