import KubeModel

/// Checks `spec.metricsCollectorSpec` as Katib's webhook does, with its messages (pkg/webhook/v1beta1/experiment/validator:
/// `validateMetricsCollector`).
struct MetricsCollectorValidator {
    private let spec: JSON
    private let kind: String
    private static let field = "spec.metricsCollectorSpec"
    private static let source = field + ".source"

    init(_ spec: JSON) {
        self.spec = spec
        kind = spec["collector"]["kind"].stringValue ?? ""
    }

    func causes() -> [APIStatus.Cause] {
        let filters = MetricsSource.filters(spec)
        switch kind {
        // SDK 0.16 and 0.17 say None for Push.
        case "StdOut": return filterCauses(filters)
        case "Push", "None": return []
        case "File": return fileCauses() + filterCauses(filters)
        case "TensorFlowEvent": return eventCauses() + filterCauses(filters)
        case "Custom": return customCauses() + filterCauses(filters)
        // Upstream knows the kind and refuses it all the same where katib-config names no program for it, as its own does not.
        case "PrometheusMetric": return httpCauses() + filterCauses(filters)
        default: return [.invalid("\(Self.field).collector.kind", .string(kind), "invalid metrics collector kind: \(kind)")]
        }
    }

    private var place: JSON { spec["source"]["fileSystemPath"] }
    private var path: String { place["path"].stringValue ?? "" }
    /// Absolute, and of a file or directory that can have a volume: not the root, and nothing outside of it.
    private var isGoodPath: Bool { path.hasPrefix("/") && !path.split(separator: "/").contains("..") }

    private func fileCauses() -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        if place["kind"].stringValue != "File" || !isGoodPath {
            causes.append(.required("\(Self.source).fileSystemPath.path", "file path where metrics file exists is required"))
        } else if MetricsSource.normal(path).split(separator: "/").count < 2 {
            causes.append(
                .invalid(
                    "\(Self.source).fileSystemPath.path", .string(path), "must be in a directory below /: the directory gets a volume of its own"))
        }
        let format = place["format"].stringValue ?? ""
        if format != "TEXT", format != "JSON" {
            causes.append(.required("\(Self.source).fileSystemPath.format", "format of metrics file is required for metrics collector"))
        }
        if format == "JSON", !spec["source"]["filter"].isNull {
            causes.append(.invalid("\(Self.source).filter", "", "filter must be nil when format of metrics file is json"))
        }
        return causes
    }

    private func eventCauses() -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        if place["kind"].stringValue != "Directory" || !isGoodPath || MetricsSource.normal(path) == "/" {
            causes.append(
                .required(
                    Self.source,
                    "directory path where tensorflow event files exist is required by .spec.metricsCollectorSpec.source.fileSystemPath.path"))
        }
        if let format = place["format"].stringValue, !format.isEmpty {
            causes.append(.invalid("\(Self.source).fileSystemPath.format", .string(format), "must be empty"))
        }
        return causes
    }

    private func customCauses() -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        if spec["collector"]["customCollector"].isNull {
            causes.append(.required("\(Self.field).collector.customCollector", "metrics collector kind: \(kind) is required"))
        }
        if !place.isNull, !isGoodPath || !["Directory", "File"].contains(place["kind"].stringValue ?? "") {
            causes.append(.invalid("\(Self.source).fileSystemPath", "", ".spec.metricsCollectorSpec.source is invalid"))
        }
        return causes
    }

    private func httpCauses() -> [APIStatus.Cause] {
        let request = spec["source"]["httpGet"]
        let port = request["port"].intValue ?? request["port"].stringValue.flatMap { Int($0) } ?? 0
        var causes: [APIStatus.Cause] = []
        if port <= 0 || port > 65535 {
            causes.append(
                .invalid("\(Self.source).httpGet.port", request["port"], "must be a positive integer value for metrics collector kind: \(kind)"))
        }
        let path = request["path"].stringValue ?? ""
        if !path.hasPrefix("/") || !path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) {
            causes.append(.invalid("\(Self.source).httpGet.path", request["path"], "path is invalid for metrics collector kind: \(kind)"))
        }
        // The lab asks, so it must be no way to other places than the trial's own pod.
        if let host = request["host"].stringValue, !host.isEmpty {
            causes.append(.invalid("\(Self.source).httpGet.host", .string(host), "must be empty: the trial's own pod is asked"))
        }
        let headers = request["httpHeaders"].elements.enumerated()
        for (index, header) in headers where !Self.isHeader(header) {
            causes.append(.invalid("\(Self.source).httpGet.httpHeaders[\(index)]", header, "must have a name of a header and a value without line ends"))
        }
        return causes
    }

    private static func isHeader(_ header: JSON) -> Bool {
        let name = header["name"].stringValue ?? ""
        let value = header["value"].stringValue ?? ""
        let isName = !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
        return isName && value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }

    private func filterCauses(_ filters: [String]) -> [APIStatus.Cause] {
        let name = "\(Self.source).filter.metricsFormat"
        return filters.compactMap { filter in
            do throws(PatternError) {
                let pattern = try Pattern(filter)
                return pattern.groupCount >= 2 && Self.hasTwoBrackets(filter) ? nil : .invalid(name, .string(filter), "two top subexpressions are required")
            } catch {
                return .invalid(name, .string(filter), "invalid filter: \(error)")
            }
        }
    }

    /// Upstream's check: one pair of brackets behind another, not inside of it.
    private static func hasTwoBrackets(_ filter: String) -> Bool {
        var wanted = "()()"[...]
        for character in filter where character == wanted.first { wanted = wanted.dropFirst() }
        return wanted.isEmpty
    }
}
