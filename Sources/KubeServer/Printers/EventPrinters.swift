import KubeModel

/// An Event's facts under the field names of `v1` and of `events.k8s.io/v1`.
private struct EventFacts {
    let event: JSON

    var target: JSON { event.has("involvedObject") ? event["involvedObject"] : event["regarding"] }

    /// A time that is set; Go writes an absent one as null.
    private func time(_ fields: String...) -> Timestamp? {
        for field in fields { if let time = Printers.time(event[field]) { return time } }
        return nil
    }

    var first: Timestamp? { time("firstTimestamp", "deprecatedFirstTimestamp", "eventTime") }
    var last: Timestamp? { Printers.time(event["series"]["lastObservedTime"]) ?? time("lastTimestamp", "deprecatedLastTimestamp") ?? first }

    var count: Int {
        if let count = event["series"]["count"].intValue { return count }
        let count = event["count"].intValue ?? event["deprecatedCount"].intValue ?? 0
        return count == 0 ? 1 : count
    }

    var source: String {
        let source = event.has("source") ? event["source"] : event["deprecatedSource"]
        var component = source["component"].stringValue ?? ""
        var instance = source["host"].stringValue ?? ""
        if component.isEmpty {
            component = event["reportingController"].stringValue ?? event["reportingComponent"].stringValue ?? ""
            instance = event["reportingInstance"].stringValue ?? ""
        }
        return instance.isEmpty ? component : "\(component), \(instance)"
    }

    var message: String {
        let message = event["message"].stringValue ?? event["note"].stringValue ?? ""
        let trimmed = message.drop(while: \.isWhitespace)
        return String(trimmed.reversed().drop(while: \.isWhitespace).reversed())
    }
}

extension Printers {
    static let events: [String: Printer] = [
        "eventLastSeen": { event, now in .string(HumanDuration.age(since: EventFacts(event: event).last, now: now)) },
        "eventFirstSeen": { event, now in .string(HumanDuration.age(since: EventFacts(event: event).first, now: now)) },
        "eventObject": { event, _ in
            let target = EventFacts(event: event).target
            let kind = (target["kind"].stringValue ?? "").lowercased()
            guard let name = target["name"].stringValue, !name.isEmpty else { return .string(kind) }
            return .string("\(kind)/\(name)")
        },
        "eventSubobject": { event, _ in .string(EventFacts(event: event).target["fieldPath"].stringValue ?? "") },
        "eventSource": { event, _ in .string(EventFacts(event: event).source) },
        "eventMessage": { event, _ in .string(EventFacts(event: event).message) },
        "eventCount": { event, _ in JSON(EventFacts(event: event).count) },
    ]
}
