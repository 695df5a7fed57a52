import Catalogue
import KubeModel
import Registry

/// Reads what trials print or write and keeps the metrics: what Katib's sidecars do upstream. It also watches over the rules of
/// early stopping, and has a trial ended at the line that breaks the last of them.
///
/// A log is always read from its beginning; a value's place in the log is its key, so reading again after a crash of
/// labd adds nothing twice and loses nothing, and a rule is broken at the same line again.
actor MetricsCollector {
    /// What one trial printed.
    struct Result: Sendable {
        var summary = MetricSummary()
        /// The last lines, for the message of a trial without metrics.
        var lastLines: [String] = []
        /// Pairs `name=value` that were seen but not asked for: a hint where a name is mistyped.
        var others: [String] = []
        /// Why nothing could be read.
        var problem: String?
        /// Every early stopping rule was broken.
        var isStopped = false
    }

    /// More values of one trial are summed up but not kept one by one.
    static let historyLimit = 200_000
    static let lastLineCount = 5
    private static let otherCount = 5

    private let catalogue: Catalogue
    private let source: any TrialLogSource
    private var running: [String: Task<Result, any Error>] = [:]
    /// The pods whose values were removed.
    private var discarded: Set<String> = []

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
            return try addReports(of: trial, to: try await task.value)
        } catch {
            running[pod.uid] = nil
            throw error
        }
    }

    /// What the trial itself or a collector of the user's own has reported is in the catalogue by now.
    private func addReports(of trial: StoredObject, to collected: Result) throws -> Result {
        let source = MetricsSource(trial.spec["metricsCollector"])
        guard source.isReported else { return collected }
        let names = Objective(trial.spec["objective"]).names
        var result = collected
        result.summary = MetricSummary()
        if case .prometheus = source {} else { result.others = [] }
        for observation in DBManager.sorted(try catalogue.observations(of: TrialKey(namespace: trial.namespace, trial: trial.name, uid: trial.uid))) {
            if names.contains(observation.metric) {
                result.summary.add(observation.metric, observation.value)
            } else if result.others.count < Self.otherCount {
                result.others.append("\(observation.metric)=\(observation.value.prefix(100))")
            }
        }
        return result
    }

    /// Forgets what was collected from a pod; a task under way is ended.
    func forget(podUID: String) { running.removeValue(forKey: podUID)?.cancel() }

    /// Removes what was collected from a pod that the node ended, so that the history is that of the pod in its place alone.
    func discard(_ trial: StoredObject, pod: StoredObject) async throws {
        guard !discarded.contains(pod.uid) else { return }
        if let task = running.removeValue(forKey: pod.uid) {
            task.cancel()
            _ = await task.result
        }
        let key = TrialKey(namespace: trial.namespace, trial: trial.name, uid: trial.uid)
        let base = Self.base(of: pod)
        try await catalogue.write { $0.forgetObservations(of: key, in: base...base + (1 << 24) - 1) }
        discarded.insert(pod.uid)
    }

    private func task(_ trial: StoredObject, _ pod: StoredObject) -> Task<Result, any Error> {
        Task { try await Self.collect(trial, pod, source, catalogue) }
    }

    private static func collect(_ trial: StoredObject, _ pod: StoredObject, _ source: any TrialLogSource, _ catalogue: Catalogue) async throws -> Result {
        let place = MetricsSource(trial.spec["metricsCollector"])
        let names = Objective(trial.spec["objective"]).names
        var format = MetricsSource.Format.text
        if case .file(_, .json) = place { format = .json }
        let parser = try MetricsParser(names: names, filters: MetricsSource.filters(trial.spec["metricsCollector"]), format: format)
        let key = TrialKey(namespace: trial.namespace, trial: trial.name, uid: trial.uid)
        let rules = StopRules(trial.spec["earlyStoppingRules"], objective: trial.spec["objective"])
        let collection = Collection(parser: parser, trial: key, base: base(of: pod), rules: rules)
        let container = TrialContainer(
            namespace: pod.namespace, pod: pod.name, podUID: pod.uid, container: trial.spec["primaryContainerName"].stringValue ?? "")
        @Sendable func take(_ lines: [TrialLogLine]) async throws {
            let (observations, isStopping) = await collection.take(lines)
            // Kept before the trial ends: the values that broke the rule are the reason for its end.
            if !observations.isEmpty { try await catalogue.write { $0.append(observations) } }
            if isStopping { try await source.endEarly(container) }
        }
        var problem: String?
        switch place {
        case .standardOutput: try await source.read(container) { try await take($0) }
        case .file(let path, _): problem = try await source.readFile(container, path: path) { try await take($0) }
        case .events(let directory):
            problem = try await source.readFiles(container, below: directory) { name, bytes in
                let observations = await collection.take(events: bytes, file: "\(directory)/\(name)", names: names)
                if !observations.isEmpty { try await catalogue.write { $0.append(observations) } }
            }
        case .prometheus(let endpoint):
            await collection.resume(try catalogue.observations(of: key))
            async let noted: Void = source.read(container) { await collection.note($0) }
            problem = try await source.scrape(container, endpoint) { page in
                let (observations, isStopping) = await collection.take(page: page)
                if !observations.isEmpty { try await catalogue.write { $0.append(observations) } }
                if isStopping { try await source.endEarly(container) }
            }
            try await noted
        case .push:
            // The lines are kept for the message of a trial that reports nothing.
            try await source.read(container) { await collection.note($0) }
        case .custom(let directory):
            try await source.read(container) { await collection.note($0) }
            if let directory { await source.markEnd(container, directory: directory) }
        }
        return await collection.finish(problem)
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
        /// Of pages that are read again and again: the last value of each metric, and its place.
        private var last: [String: String] = [:]
        private var place: Int64 = 0
        private var rules: StopRules
        private var result = Result()

        init(parser: MetricsParser, trial: TrialKey, base: Int64, rules: StopRules) {
            self.parser = parser
            self.trial = trial
            self.base = base
            self.rules = rules
        }

        func finish(_ problem: String?) -> Result {
            result.problem = problem
            return result
        }

        /// - Returns: the values of the lines, and whether they broke the last rule.
        func take(_ lines: [TrialLogLine]) -> (found: [Observation], isStopping: Bool) {
            var found: [Observation] = []
            let wasStopped = result.isStopped
            for line in lines {
                let matches = parser.matches(in: line.text)
                for match in matches {
                    add(match, time: match.time ?? time(of: line), to: &found)
                    rules.add(match.name, match.value)
                }
                if matches.isEmpty, result.others.count < MetricsCollector.otherCount { noteOthers(line.text) }
            }
            result.isStopped = rules.isBroken
            note(lines)
            return (found, result.isStopped && !wasStopped)
        }

        /// The values of one page of Prometheus's text that were not there the time before, or of its lines where there are filters.
        /// - Returns: as for lines; the place of a value is the time at which it was read, so that a later daemon's follow.
        func take(page: TrialLogLine) -> (found: [Observation], isStopping: Bool) {
            var found: [Observation] = []
            let wasStopped = result.isStopped
            for match in parser.matches(inPage: page.text) where last[match.name] != match.value {
                last[match.name] = match.value
                result.summary.add(match.name, match.value)
                rules.add(match.name, match.value)
                count += 1
                if count > Int64(MetricsCollector.historyLimit) { continue }
                place = max(place + 1, Self.nanoseconds(page.time))
                found.append(Observation(trial: trial, sequence: place, time: match.time ?? page.time, metric: match.name, value: match.value))
            }
            if found.isEmpty, result.others.count < MetricsCollector.otherCount {
                for sample in PrometheusText.samples(in: page.text).prefix(100) where last[sample.name] == nil { note("\(sample.series)=\(sample.value)") }
            }
            result.isStopped = rules.isBroken
            return (found, result.isStopped && !wasStopped)
        }

        /// Goes on behind what an earlier daemon has kept of the trial's pages.
        func resume(_ observations: [Observation]) {
            for observation in observations.sorted(by: { $0.sequence < $1.sequence }) {
                last[observation.metric] = observation.value
                rules.add(observation.metric, observation.value)
                place = max(place, observation.sequence)
                count += 1
            }
        }

        private static func nanoseconds(_ time: String) -> Int64 {
            guard let time = Timestamp(parsing: time) else { return 0 }
            return time.seconds &* 1_000_000_000 &+ Int64(time.nanoseconds)
        }

        /// Lines in which nothing is looked for.
        func note(_ lines: [TrialLogLine]) {
            let tail = lines.suffix(MetricsCollector.lastLineCount).map { String($0.text.prefix(200)) }
            result.lastLines = Array((result.lastLines + tail).suffix(MetricsCollector.lastLineCount))
        }

        /// The values of a whole event file.
        func take(events bytes: [UInt8], file: String, names: [String]) -> [Observation] {
            var found: [Observation] = []
            for scalar in EventFile.scalars(in: bytes) {
                for name in names where EventFile.isMetric(name, tag: scalar.tag, file: file) {
                    add(MetricsParser.Match(name: name, value: scalar.text), time: Timestamp(scalar.wallTime).nano, to: &found)
                }
                if found.isEmpty, result.others.count < MetricsCollector.otherCount { note("\(scalar.tag)=\(scalar.text)") }
            }
            return found
        }

        private func add(_ match: MetricsParser.Match, time: String, to found: inout [Observation]) {
            result.summary.add(match.name, match.value)
            if count < Int64(MetricsCollector.historyLimit) {
                found.append(Observation(trial: trial, sequence: base + count, time: time, metric: match.name, value: match.value))
            }
            count += 1
        }

        private func noteOthers(_ line: String) {
            for pair in MetricsParser.pairs(in: String(line.prefix(2000))).prefix(MetricsCollector.otherCount) { note("\(pair.name)=\(pair.value)") }
        }

        private func note(_ pair: String) {
            if result.others.count < MetricsCollector.otherCount, !result.others.contains(pair) { result.others.append(String(pair.prefix(200))) }
        }

        /// A line that begins with a time of its own keeps it, as upstream's collector reads it.
        private func time(of line: TrialLogLine) -> String {
            guard let first = line.text.first, first.isNumber, let space = line.text.firstIndex(of: " ") else { return line.time }
            let text = String(line.text[..<space])
            return text.contains("T") && Timestamp(parsing: text) != nil ? text : line.time
        }
    }
}
