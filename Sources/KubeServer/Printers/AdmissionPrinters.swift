import KubeModel

extension Printers {
    static let admission: [String: Printer] = [
        "webhookCount": { object, _ in JSON(object["webhooks"].elements.count) },
        "validationCount": { object, _ in JSON(object["spec"]["validations"].elements.count) },
        "paramKind": { object, _ in
            let kind = object["spec"]["paramKind"]
            return kind.isNull ? "<unset>" : .string("\(kind["apiVersion"].stringValue ?? "")/\(kind["kind"].stringValue ?? "")")
        },
        "paramRef": { object, _ in
            let reference = object["spec"]["paramRef"]
            if reference.isNull { return "<unset>" }
            let namespace = reference["namespace"].stringValue.map { "\($0)/" } ?? "*/"
            if let name = reference["name"].stringValue { return .string(namespace + name) }
            return reference["selector"].isNull ? "<unset>" : .string(namespace + (selector(reference["selector"]).stringValue ?? ""))
        },
        "serviceReference": { object, _ in
            let service = object["spec"]["service"]
            return service.isNull ? "Local" : .string("\(service["namespace"].stringValue ?? "")/\(service["name"].stringValue ?? "")")
        },
        "serviceAvailable": { object, _ in
            let condition = object["status"]["conditions"].elements.first { $0["type"] == "Available" }
            guard let condition else { return "Unknown" }
            let status = condition["status"].stringValue ?? "Unknown"
            guard status != "True", let reason = condition["reason"].stringValue, !reason.isEmpty else { return .string(status) }
            return .string("\(status) (\(reason))")
        },
    ]

    static let drivers: [String: Printer] = [
        "attachRequired": { object, _ in .bool(object["spec"]["attachRequired"].boolValue ?? true) },
        "podInfoOnMount": { object, _ in .bool(object["spec"]["podInfoOnMount"].boolValue ?? false) },
        "storageCapacity": { object, _ in .bool(object["spec"]["storageCapacity"].boolValue ?? false) },
        "requiresRepublish": { object, _ in .bool(object["spec"]["requiresRepublish"].boolValue ?? false) },
        "tokenRequests": { object, _ in
            let audiences = object["spec"]["tokenRequests"].elements.map { $0["audience"].stringValue ?? "" }
            return audiences.isEmpty ? "<unset>" : joined(audiences)
        },
        "volumeLifecycleModes": { object, _ in
            let modes = object["spec"]["volumeLifecycleModes"].elements.compactMap(\.stringValue)
            return modes.isEmpty ? "<none>" : joined(modes)
        },
        "driverCount": { object, _ in JSON(object["spec"]["drivers"].elements.count) },
        "attached": { object, _ in .bool(object["status"]["attached"].boolValue ?? false) },
    ]
}
