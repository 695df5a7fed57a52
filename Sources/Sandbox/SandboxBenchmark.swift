import Glibc

/// Measures the real path of a container, for `make bench` and `lab doctor`.
public enum SandboxBenchmark {
    /// Runs `program` in a full sandbox `count` times, one after the other.
    ///
    /// - Parameters:
    ///   - template: the root and mounts to use; its state directory is where a directory for each run is made and removed,
    ///     outside of the measured time.
    /// - Returns: nanoseconds from before the start to the news of the exit, in order of the runs.
    /// - Throws: ``SetupFailure`` when a run cannot be set up, ``SandboxError/invalidSpec(_:)`` when the program fails.
    public static func startToExit(
        _ runtime: SandboxRuntime, template: SandboxSpec, count: Int
    ) async throws -> [Int64] {
        var times: [Int64] = []
        times.reserveCapacity(count)
        for number in 0..<count {
            var spec = template
            spec.identifier = "bench-\(number)"
            spec.stateDirectory = "\(template.stateDirectory)/bench-\(number)"
            spec.log.path = "\(spec.stateDirectory)/log"
            guard mkdir(spec.stateDirectory, 0o700) == 0 else {
                throw SandboxError.system(operation: "make \(spec.stateDirectory)", errno: errno)
            }
            let start = ContinuousClock.now
            let record = try await runtime.start(spec).wait()
            let taken = (ContinuousClock.now - start).components
            times.append(taken.seconds * 1_000_000_000 + taken.attoseconds / 1_000_000_000)
            try await runtime.remove(stateDirectory: spec.stateDirectory)
            guard record.exitCode == 0 else {
                throw SandboxError.invalidSpec(
                    "\(spec.arguments.joined(separator: " ")) must end with 0 to be measured; it ended with \(record.exitCode)")
            }
        }
        return times
    }
}
