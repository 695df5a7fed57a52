import KubeModel

/// Where the metrics of a trial come from: its `metricsCollector` spec.
enum MetricsSource: Sendable, Equatable {
    enum Format: Sendable { case text, json }

    /// Standard output and standard error of the primary container.
    case standardOutput
    /// A file that the primary container writes, at an absolute path.
    case file(path: String, Format)
    /// TensorBoard's event files below a directory.
    case events(directory: String)
    /// What the pod of the trial answers over HTTP, in the text format of Prometheus.
    case prometheus(TrialEndpoint)
    /// A container of the user's own, which reports by itself; the directory of the files it reads.
    case custom(directory: String?)
    /// The trial reports by itself.
    case push

    init(_ collector: JSON) {
        let place = collector["source"]["fileSystemPath"]
        let path = Self.normal(place["path"].stringValue ?? "")
        switch collector["collector"]["kind"].stringValue {
        case "File": self = .file(path: path, place["format"].stringValue == "JSON" ? .json : .text)
        case "TensorFlowEvent": self = .events(directory: path)
        case "PrometheusMetric": self = .prometheus(TrialEndpoint(collector["source"]["httpGet"]))
        case "Custom":
            let isDirectory = place["kind"].stringValue == "Directory"
            self = .custom(directory: place.isNull ? nil : isDirectory ? path : Self.parent(path))
        case "Push", "None": self = .push
        default: self = .standardOutput
        }
    }

    /// The directory that gets a volume, so that others than the primary container can read in it.
    var directory: String? {
        switch self {
        case .file(let path, _): Self.parent(path)
        case .events(let directory): directory
        case .custom(let directory): directory
        case .standardOutput, .push, .prometheus: nil
        }
    }

    /// Whether the values are in the catalogue alone: they came to the database manager, or cannot be read a second time.
    var isReported: Bool {
        switch self {
        case .push, .custom, .prometheus: true
        default: false
        }
    }

    /// The regular expressions that are wanted in place of `name=value`.
    static func filters(_ collector: JSON) -> [String] { collector["source"]["filter"]["metricsFormat"].elements.compactMap(\.stringValue) }

    /// Without doubled and trailing slashes and single dots; `..` stays, and is refused by the validation.
    static func normal(_ path: String) -> String { "/" + path.split(separator: "/").filter { $0 != "." }.joined(separator: "/") }

    private static func parent(_ path: String) -> String { "/" + path.split(separator: "/").dropLast().joined(separator: "/") }
}
