import Catalogue
import KubeModel

extension PodWorker {
    /// The log of the newest attempt, or of the one before; `nil` where there is none.
    func log(of container: String, previous: Bool) -> LogSource? {
        let newest = containers[container].map(\.attempt).flatMap { $0 >= 0 ? $0 : nil } ?? loggedAttempts(container).last
        guard let newest else { return nil }
        let attempt = previous ? newest - 1 : newest
        guard attempt >= 0 else { return nil }
        return source(container, attempt)
    }

    /// The log of this attempt or the next one that there is, as soon as it has started; `nil` when there will be none.
    func log(of container: String, attempt: Int) async -> LogSource? {
        while !Task.isCancelled {
            let known = containers[container]?.attempt ?? -1
            // Older attempts may be gone already: go on with the oldest that is left.
            if let found = loggedAttempts(container).first(where: { $0 >= attempt && $0 <= known || known < 0 && $0 >= attempt }) {
                return source(container, found)
            }
            if known >= attempt { return source(container, known) }
            if isFinal(container) { return nil }
            await nextChange()
        }
        return nil
    }

    private func source(_ container: String, _ attempt: Int) -> LogSource {
        let run = containers[container]
        return LogSource(
            files: LogFiles(path: directory.log(attempt, of: container)), directory: directory.logDirectory(of: container),
            attempt: attempt, end: run?.attempt == attempt && run?.running != nil ? run?.end : nil)
    }

    /// The numbers of the attempts whose logs are kept, in order.
    private func loggedAttempts(_ container: String) -> [Int] {
        Files.list(directory.logDirectory(of: container)).compactMap { name in
            name.hasSuffix(".log") ? Int(name.dropLast(4)) : nil
        }.sorted()
    }

    /// The container will not be started (again).
    func isFinal(_ container: String) -> Bool {
        guard !isGone, let pod = context.catalogue.get(key), pod.uid == uid, !pod.isTerminalPod else { return true }
        guard let run = containers[container], run.running == nil, let ended = run.ended else { return false }
        let spec = PodSpec(pod)
        if let container = spec.initContainers.first(where: { $0.name == container }) {
            return !container.isSidecar && (ended.exitCode == 0 || spec.restartPolicy == "Never")
        }
        return !isRestarted(run, ended, spec)
    }
}
