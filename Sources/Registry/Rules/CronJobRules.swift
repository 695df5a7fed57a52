import Catalogue
import KubeModel

/// CronJobs: schedule, time zone and template (upstream: pkg/apis/batch/validation).
enum CronJobRules {
    /// A Job's name is the CronJob's and a number of up to eleven characters.
    private static let longestName = 63 - 11

    static func validate(_ object: JSON, _ old: JSON?, _ context: KindRules.Context) -> [APIStatus.Cause] {
        let spec = object["spec"]
        var causes: [APIStatus.Cause] = []
        let name = object["metadata"]["name"].stringValue ?? ""
        if old == nil, name.utf8.count > longestName { causes.append(.invalid("metadata.name", .string(name), "must be no more than 52 characters")) }
        causes += schedule(spec)
        for field in ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
            if let number = spec[field].intValue, number < 0 { causes.append(.invalid("spec.\(field)", JSON(number), "must be greater than or equal to 0")) }
        }
        if let zone = spec["timeZone"].stringValue, zone != old?["spec"]["timeZone"].stringValue, TimeZones.named(zone) == nil {
            causes.append(
                zone.lowercased() == "local"
                    ? .invalid("spec.timeZone", .string(zone), "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones")
                    : zone.isEmpty ? .invalid("spec.timeZone", "", "timeZone must be nil or non-empty string")
                    : .invalid("spec.timeZone", .string(zone), "unknown time zone \(zone)"))
        }
        let job = spec["jobTemplate"]["spec"]
        let path = "spec.jobTemplate.spec"
        if !job["selector"].isNull { causes.append(.invalid("\(path).selector", job["selector"], "`selector` will be auto-generated")) }
        if job["manualSelector"].boolValue == true { causes.append(.notSupported("\(path).manualSelector", true, ["nil", "false"])) }
        return causes + JobRules.validateSpec(job, path)
    }

    private static func schedule(_ spec: JSON) -> [APIStatus.Cause] {
        let text = spec["schedule"].stringValue ?? ""
        if text.isEmpty { return [.required("spec.schedule")] }
        if text.contains("TZ") {
            let detail = spec.has("timeZone")
                ? "cannot use both timeZone field and TZ or CRON_TZ in schedule" : "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
            return [.invalid("spec.schedule", .string(text), detail)]
        }
        do throws(CronSchedule.Problem) {
            _ = try CronSchedule(parsing: text)
            return []
        } catch {
            return [.invalid("spec.schedule", .string(text), error.description)]
        }
    }
}
