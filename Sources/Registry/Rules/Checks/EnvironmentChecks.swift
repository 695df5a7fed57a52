import KubeModel

/// Environment variables and files that take their values from elsewhere (pkg/apis/core/validation: validateEnvVarValueFrom,
/// ValidateEnvFrom, validateDownwardAPIVolumeFile).
enum EnvironmentChecks {
    static func variable(_ variable: JSON, _ path: String) -> [APIStatus.Cause] {
        let source = variable["valueFrom"]
        if source.isNull { return [] }
        let field = "\(path).valueFrom"
        var causes = fieldReference(source["fieldRef"], "\(field).fieldRef", allowed: variableFields)
        causes += resourceReference(source["resourceFieldRef"], "\(field).resourceFieldRef", needsContainer: false)
        let count = source.members.values.count { !$0.isNull }
        if count == 0 {
            causes.append(.invalid(field, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"))
        } else if !(variable["value"].stringValue ?? "").isEmpty {
            causes.append(.invalid(field, "", "may not be specified when `value` is not empty"))
        } else if count > 1 {
            causes.append(.invalid(field, "", "may not have more than one field specified at a time"))
        }
        return causes
    }

    /// `envFrom`; upstream names the list where an element has no source or two.
    static func sources(_ sources: [JSON], _ path: String) -> [APIStatus.Cause] {
        sources.compactMap { source in
            switch (source["configMapRef"].isNull, source["secretRef"].isNull) {
            case (true, true): .invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
            case (false, false): .invalid(path, "", "may not have more than one field specified at a time")
            default: nil
            }
        }
    }

    static func downwardFile(_ file: JSON, _ path: String) -> [APIStatus.Cause] {
        let (field, resource) = (file["fieldRef"], file["resourceFieldRef"])
        if field.isNull, resource.isNull { return [.required(path, "one of fieldRef and resourceFieldRef is required")] }
        var causes = fieldReference(field, "\(path).fieldRef", allowed: fileFields)
        if !field.isNull, !resource.isNull {
            causes.append(.invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"))
        } else {
            causes += resourceReference(resource, "\(path).resourceFieldRef", needsContainer: true)
        }
        return causes
    }

    // MARK: References

    private static let variableFields = [
        "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs",
        "status.podIP", "status.podIPs",
    ]
    private static let fileFields = ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"]
    /// What the conversion of field labels knows, whether a variable may have it or not.
    private static let knownFields: Set<String> = Set(variableFields + fileFields).union([
        "spec.restartPolicy", "spec.schedulerName", "status.phase", "spec.host",
    ])

    private static func fieldReference(_ reference: JSON, _ path: String, allowed: [String]) -> [APIStatus.Cause] {
        if reference.isNull { return [] }
        let text = reference["fieldPath"].stringValue ?? ""
        let version = reference["apiVersion"].stringValue ?? "v1"
        if text.isEmpty { return [.required("\(path).fieldPath")] }
        func refused(_ problem: String) -> [APIStatus.Cause] {
            [.invalid("\(path).fieldPath", .string(text), "error converting fieldPath: \(problem)")]
        }
        if version != "v1" { return refused("unsupported pod version: \(version)") }
        if let parts = parts(text) {
            switch parts.name {
            case "metadata.annotations": return Names.qualifiedName(parts.key.lowercased()).map { .invalid(path, .string(parts.key.lowercased()), $0) }
            case "metadata.labels": return Names.qualifiedName(parts.key).map { .invalid(path, .string(parts.key), $0) }
            default: return refused("field label does not support subscript: \(text)")
            }
        }
        guard knownFields.contains(text) else { return refused("field label not supported: \(text)") }
        return allowed.contains(text) ? [] : [.notSupported("\(path).fieldPath", .string(text), allowed)]
    }

    /// `metadata.labels['a']` in two; nil where there is no subscript.
    private static func parts(_ path: String) -> (name: String, key: String)? {
        guard path.hasSuffix("']"), let opening = path.firstIndex(of: "["), path[opening...].hasPrefix("['"), opening > path.startIndex else { return nil }
        let key = path[path.index(opening, offsetBy: 2)...].dropLast(2)
        return (String(path[..<opening]), String(key))
    }

    private static let resources = [
        "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory",
    ]
    private static let byteDivisors = "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei"

    private static func resourceReference(_ reference: JSON, _ path: String, needsContainer: Bool) -> [APIStatus.Cause] {
        if reference.isNull { return [] }
        let name = reference["resource"].stringValue ?? ""
        var causes: [APIStatus.Cause] = []
        if needsContainer, (reference["containerName"].stringValue ?? "").isEmpty {
            causes.append(.required("\(path).containerName"))
        } else if name.isEmpty {
            causes.append(.required("\(path).resource"))
        } else if !resources.contains(name), !isHugePages(name) {
            causes.append(.notSupported("\(path).resource", .string(name), resources))
        }
        guard let divisor = Quantity(reference["divisor"]), !divisor.isZero else { return causes }
        let kinds = ["cpu": "cpu", "memory": "memory", "ephemeral-storage": "local ephemeral storage"]
        let subject = isHugePages(name) ? "hugepages" : kinds[String(name.split(separator: ".").last ?? "")] ?? ""
        let allowed = subject == "cpu" ? "1m and 1" : byteDivisors
        let values = subject == "cpu" ? ["1m", "1"] : byteDivisors.split(separator: ",").map { $0.filter { $0 != " " } }
        if !subject.isEmpty, !values.contains(divisor.description) {
            causes.append(.invalid("\(path).divisor", .string(name), "only divisor's values \(allowed) are supported with the \(subject) resource"))
        }
        return causes
    }

    private static func isHugePages(_ name: String) -> Bool { name.hasPrefix("limits.hugepages-") || name.hasPrefix("requests.hugepages-") }
}
