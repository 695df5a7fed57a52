import KubeModel

/// When a CronJob's next Job is due, and what its policies say of it (upstream: pkg/controller/cronjob/utils.go).
enum CronJobPlan {
    /// The times that have come since the last Job.
    struct Due: Equatable {
        /// The last of them; `nil` where none has come.
        var time: Timestamp?
        /// Whether so many were missed that something is wrong: without a deadline more than 100.
        var hasMissedTooMany = false
    }

    static let tooMany = 100

    /// - Parameters:
    ///   - created: of the CronJob.
    ///   - last: `status.lastScheduleTime`.
    ///   - deadline: `spec.startingDeadlineSeconds`.
    static func due(
        _ schedule: CronSchedule, in zone: TimeZoneRules, created: Timestamp, last: Timestamp?, deadline: Duration?, now: Timestamp
    ) -> Due {
        var earliest = last ?? created
        if let deadline { earliest = max(earliest, now - deadline) }
        guard let first = schedule.next(after: earliest, in: zone), first <= now else { return Due() }
        guard let second = schedule.next(after: first, in: zone), second <= now else { return Due(time: first) }
        let between = max(1, second.seconds - first.seconds)
        let missed = (now.seconds - first.seconds) / between + 1
        // After a long pause only the last stretch is looked through time by time.
        var time = missed > 2 ? lastBefore(now, schedule, zone, from: first + .seconds(between * (missed - 2)), floor: first) : second
        while let next = schedule.next(after: time, in: zone), next <= now { time = next }
        return Due(time: time, hasMissedTooMany: deadline == nil && missed > Int64(tooMany))
    }

    /// Where times are uneven the estimate may be too late: then the search begins at the first.
    private static func lastBefore(_ now: Timestamp, _ schedule: CronSchedule, _ zone: TimeZoneRules, from estimate: Timestamp, floor: Timestamp) -> Timestamp {
        if let next = schedule.next(after: estimate - .seconds(1), in: zone), next <= now { return next }
        return floor
    }

    /// The name of the Job of one time: the same time never makes two (upstream: getJobName).
    static func jobName(_ name: String, _ time: Timestamp) -> String { "\(name)-\(time.seconds / 60)" }

    /// Whether it is too late for a Job of that time.
    static func isTooLate(_ time: Timestamp, deadline: Duration?, now: Timestamp) -> Bool { deadline.map { time + $0 < now } ?? false }

    /// Ended Jobs beyond the history limit, the oldest first.
    static func expired(_ jobs: [(name: String, started: Timestamp?)], limit: Int?) -> [String] {
        guard let limit, jobs.count > limit else { return [] }
        let sorted = jobs.sorted { left, right in
            switch (left.started, right.started) {
            case (let a?, let b?) where a != b: a < b
            case (nil, .some): false
            case (.some, nil): true
            default: left.name < right.name
            }
        }
        return sorted.prefix(jobs.count - limit).map(\.name)
    }
}
