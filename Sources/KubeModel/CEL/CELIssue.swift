/// Why an expression cannot be compiled, in cel-go's layout: each issue with its line, column and a caret below the source.
public struct CELCompileError: Error, Sendable, CustomStringConvertible {
    public struct Issue: Sendable, Equatable {
        /// In Unicode scalars from the start of the source.
        public let position: Int
        public let message: String
    }

    public let source: String
    public let issues: [Issue]

    public var description: String {
        issues.map { issue in
            var line = 1
            var column = 0
            var text = ""
            var isPast = false
            for (index, scalar) in source.unicodeScalars.enumerated() {
                if index >= issue.position { isPast = true }
                if scalar == "\n" {
                    if isPast { break }
                    line += 1
                    column = 0
                    text = ""
                    continue
                }
                if !isPast { column += 1 }
                text.unicodeScalars.append(scalar)
                // A line of a hostile expression may be long; the message need not be.
                if isPast, text.unicodeScalars.count > column + 200 { break }
            }
            let dots = String(repeating: ".", count: min(column, 400))
            let shown = column > 400 ? String(text.unicodeScalars.suffix(400)) : text
            return "ERROR: <input>:\(line):\(column + 1): \(issue.message)\n | \(shown)\n | \(dots)^"
        }.joined(separator: "\n")
    }
}

/// What stopped an evaluation, in cel-go's words, e.g. `no such key: name`, `division by zero`.
public struct CELError: Error, Sendable, Equatable, CustomStringConvertible {
    public let message: String
    /// Whether the evaluation was ended because it cost too much; nothing absorbs such an error.
    public let isCost: Bool

    public init(_ message: String, isCost: Bool = false) {
        self.message = message
        self.isCost = isCost
    }

    public var description: String { message }

    static let noOverload = CELError("no such overload")
    static let integerOverflow = CELError("integer overflow")
    static let unsignedOverflow = CELError("unsigned integer overflow")
    static let costExceeded = CELError("operation cancelled: actual cost limit exceeded", isCost: true)
}
