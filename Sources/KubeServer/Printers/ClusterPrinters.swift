import KubeModel

extension Printers {
    static let cluster: [String: Printer] = [
        "componentStatus": { object, _ in
            let condition = healthy(object)
            return condition.isNull ? "Unknown" : condition["status"] == "True" ? "Healthy" : "Unhealthy"
        },
        "componentMessage": { object, _ in .string(healthy(object)["message"].stringValue ?? "") },
        "componentError": { object, _ in .string(healthy(object)["error"].stringValue ?? "") },
        "certificateDuration": { object, _ in
            object["spec"]["expirationSeconds"].intValue.map { .string(HumanDuration.text(.seconds($0))) } ?? "<none>"
        },
        "certificateCondition": { object, _ in
            func has(_ type: String) -> Bool { object["status"]["conditions"].elements.contains { $0["type"].stringValue == type } }
            let decision = has("Denied") ? "Denied" : has("Approved") ? "Approved" : "Pending"
            let isIssued = !(object["status"]["certificate"].stringValue ?? "").isEmpty
            return .string(decision + (has("Failed") ? ",Failed" : "") + (isIssued ? ",Issued" : ""))
        },
        "flowDistinguisher": { object, _ in none(object["spec"]["distinguisherMethod"]["type"].stringValue) },
        "flowMissingLevel": { object, _ in
            let condition = object["status"]["conditions"].elements.first { $0["type"] == "Dangling" }
            return condition?["status"] ?? "?"
        },
        "levelShares": { object, _ in
            let shares = object["spec"]["limited"]["nominalConcurrencyShares"]
            return number(shares.isNull ? object["spec"]["exempt"]["nominalConcurrencyShares"] : shares)
        },
        "levelQueues": { object, _ in number(queuing(object)["queues"]) },
        "levelHandSize": { object, _ in number(queuing(object)["handSize"]) },
        "levelQueueLength": { object, _ in number(queuing(object)["queueLengthLimit"]) },
    ]

    private static func healthy(_ object: JSON) -> JSON { object["conditions"].elements.first { $0["type"] == "Healthy" } ?? .null }

    private static func queuing(_ object: JSON) -> JSON { object["spec"]["limited"]["limitResponse"]["queuing"] }

    private static func number(_ value: JSON) -> JSON { value.isNull ? "<none>" : value }
}
