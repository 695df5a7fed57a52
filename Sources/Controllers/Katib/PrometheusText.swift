import KubeModel

/// Metrics in Prometheus's text format: a line each as `name{label="value",…} value [milliseconds]`, and comments.
enum PrometheusText {
    struct Sample: Equatable {
        let name: String
        let labels: [String: String]
        /// As it was written.
        let value: String
        /// RFC 3339, where the line gives a time.
        let time: String?

        /// As a metric name may be written to mean this sample alone.
        var series: String {
            labels.isEmpty ? name : "\(name){\(labels.sorted { $0.key < $1.key }.map { "\($0.key)=\"\($0.value)\"" }.joined(separator: ","))}"
        }
    }

    /// More series of one page are not looked at.
    private static let limit = 100_000

    /// The samples of a page. Lines that are none are passed over.
    static func samples(in text: String) -> [Sample] {
        var samples: [Sample] = []
        for line in text.split(whereSeparator: \.isNewline) where samples.count < limit {
            if let sample = sample(line) { samples.append(sample) }
        }
        return samples
    }

    /// The sample that a metric of an objective means: `name` alone where one series has that name or one without labels does,
    /// `name{label="value"}` the one with these labels.
    static func find(_ metric: String, in samples: [Sample]) -> Sample? {
        guard let (name, labels, _) = series(metric[...]) else { return nil }
        let named = samples.filter { sample in sample.name == name && labels.allSatisfy { sample.labels[$0.key] == $0.value } }
        if named.count > 1 { return named.first { $0.labels.count == labels.count } }
        return named.first
    }

    private static func sample(_ line: Substring) -> Sample? {
        guard line.first != "#", let (name, labels, rest) = series(line), rest.first?.isWhitespace == true else { return nil }
        let parts = rest.split(whereSeparator: \.isWhitespace)
        guard let value = parts.first, parts.count <= 2 else { return nil }
        var time: String?
        if parts.count == 2 {
            guard let milliseconds = Int64(parts[1]), milliseconds.magnitude < 1 << 52 else { return nil }
            time = Timestamp(Double(milliseconds) / 1000).nano
        }
        return Sample(name: name, labels: labels, value: String(value), time: time)
    }

    private static func series(_ text: Substring) -> (name: String, labels: [String: String], rest: Substring)? {
        let name = text.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") }
        guard let first = name.first, !first.isNumber else { return nil }
        var rest = text[name.endIndex...]
        guard rest.first == "{" else { return (String(name), [:], rest) }
        rest = rest.dropFirst()
        var labels: [String: String] = [:]
        while true {
            rest = rest.drop { $0 == " " || $0 == "," }
            if rest.first == "}" { return (String(name), labels, rest.dropFirst()) }
            let key = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
            rest = rest[key.endIndex...].drop { $0 == " " }
            guard !key.isEmpty, rest.first == "=" else { return nil }
            rest = rest.dropFirst().drop { $0 == " " }
            guard rest.first == "\"", let value = quoted(&rest) else { return nil }
            labels[String(key)] = value
        }
    }

    private static func quoted(_ rest: inout Substring) -> String? {
        var value = ""
        var isEscaped = false
        for index in rest.indices.dropFirst() {
            let character = rest[index]
            if isEscaped {
                value.append(character == "n" ? "\n" : character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                rest = rest[rest.index(after: index)...]
                return value
            } else {
                value.append(character)
            }
        }
        return nil
    }
}
