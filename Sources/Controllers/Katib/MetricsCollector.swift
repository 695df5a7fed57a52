import Catalogue
import KubeModel
import Logging
import Registry

/// Reads the output of trials' primary containers and keeps the metrics: what Katib's StdOut sidecar does upstream.
///
/// A log is always read from its beginning; a value's place in the log is its key, so reading again after a crash of
/// labd adds nothing twice and loses nothing.
actor MetricsCollector {
    /// What one trial printed.
    struct Result: Sendable {
        var summary = MetricSummary()
        /// The last lines, for the message of a trial without metrics.
        var lastLines: [String] = []
    }

    /// More values of one trial are summed up but not kept one by one.
    static let historyLimit = 200_000
    static let lastLineCount = 5

    private let catalogue: Catalogue
    private let source: any TrialLogSource
    private var running: [String: Task<Result, any Error>] = [:]

    init(catalogue: Catalogue, source: any TrialLogSource) {
        self.catalogue = catalogue
        self.source = source
    }

    /// Begins to collect from a pod of a trial, unless that is under way.
    func start(_ trial: StoredObject, pod: StoredObject) {
        if running[pod.uid] == nil { running[pod.uid] = task(trial, pod) }
    }

    /// The metrics of one pod of a trial, whose container has ended.
    func result(_ trial: StoredObject, pod: StoredObject) async throws -> Result {
        let task = running[pod.uid] ?? self.task(trial, pod)
        running[pod.uid] = task
        do {
            return try await task.value
        } catch {
            running[pod.uid] = nil
            throw error
        }
    }

    /// Forgets what was collected from a pod; a task under way is ended.
    func forget(podUID: String) { running.removeValue(forKey: podUID)?.cancel() }

    private func task(_ trial: StoredObject, _ pod: StoredObject) -> Task<Result, any Error> {
        Task { try await Self.collect(trial, pod, source, catalogue) }
    }

    private static func collect(_ trial: StoredObject, _ pod: StoredObject, _ source: any TrialLogSource, _ catalogue: Catalogue) async throws -> Result {
        let filters = trial.spec["metricsCollector"]["source"]["filter"]["metricsFormat"].elements.compactMap(\.stringValue)
        let parser = try MetricsParser(names: Objective(trial.spec["objective"]).names, filters: filters)
        let key = TrialKey(namespace: trial.namespace, trial: trial.name, uid: trial.uid)
        let collection = Collection(parser: parser, trial: key, base: base(of: pod))
        let container = trial.spec["primaryContainerName"].stringValue ?? ""
        try await source.read(namespace: pod.namespace, pod: pod.name, podUID: pod.uid, container: container) { lines in
            let observations = await collection.take(lines)
            if !observations.isEmpty { try await catalogue.write { $0.append(observations) } }
        }
        return await collection.result
    }

    /// Where the places of a pod's values begin: pods of one trial follow each other in time.
    private static func base(of pod: StoredObject) -> Int64 {
        (Timestamp(parsing: pod.metadata["creationTimestamp"].stringValue ?? "")?.seconds ?? 0) << 24
    }

    /// What was found so far in one log.
    private actor Collection {
        private let parser: MetricsParser
        private let trial: TrialKey
        private let base: Int64
        private var count: Int64 = 0
        private(set) var result = Result()

        init(parser: MetricsParser, trial: TrialKey, base: Int64) {
            self.parser = parser
            self.trial = trial
            self.base = base
        }

        func take(_ lines: [TrialLogLine]) -> [Observation] {
            var found: [Observation] = []
            for line in lines {
                for match in parser.matches(in: line.text) {
                    result.summary.add(match.name, match.value)
                    if count < Int64(MetricsCollector.historyLimit) {
                        found.append(
                            Observation(trial: trial, sequence: base + count, time: time(of: line), metric: match.name, value: match.value))
                    }
                    count += 1
                }
            }
            let tail = lines.suffix(MetricsCollector.lastLineCount).map { String($0.text.prefix(200)) }
            result.lastLines = Array((result.lastLines + tail).suffix(MetricsCollector.lastLineCount))
            return found
        }

        /// A line that begins with a time of its own keeps it, as upstream's collector reads it.
        private func time(of line: TrialLogLine) -> String {
            guard let first = line.text.first, first.isNumber, let space = line.text.firstIndex(of: " ") else { return line.time }
            let text = String(line.text[..<space])
            return text.contains("T") && Timestamp(parsing: text) != nil ? text : line.time
        }
    }
}
