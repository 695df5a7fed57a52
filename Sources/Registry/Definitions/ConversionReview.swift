import KubeModel

/// How objects of a custom kind get from one version to another: through a webhook of the definition's (`spec.conversion`).
public struct KindConversion: Sendable {
    /// The apiVersion in which new objects are stored.
    let stored: String
    let client: JSON
    let versions: [String]

    /// `nil` where versions differ in their names alone.
    init?(_ spec: JSON) {
        let conversion = spec["conversion"]
        guard conversion["strategy"].stringValue == "Webhook", let group = spec["group"].stringValue,
            let storage = spec["versions"].elements.first(where: { $0["storage"].boolValue == true })?["name"].stringValue
        else { return nil }
        stored = "\(group)/\(storage)"
        client = conversion["webhook"]["clientConfig"]
        versions = conversion["webhook"]["conversionReviewVersions"].elements.compactMap(\.stringValue)
    }
}

/// One question to a conversion webhook (upstream: apiextensions-apiserver/pkg/apiserver/conversion/webhook_converter.go).
struct ConversionReview {
    /// In seconds, as upstream's.
    private static let timeout = 30

    let conversion: KindConversion
    let transport: (any WebhookTransport)?

    /// - Parameter objects: of one kind, each in another version than the wanted one; not empty.
    /// - Throws: 500 with upstream's words; the object cannot be shown or stored then.
    func convert(_ objects: [JSON], to apiVersion: String) async throws(APIStatus) -> [JSON] {
        let first = objects.first ?? .null
        let subject = "conversion webhook for \(first["apiVersion"].stringValue ?? ""), Kind=\(first["kind"].stringValue ?? "")"
        func failed(_ problem: String) -> APIStatus { APIStatus(code: 500, reason: "", message: "\(subject) failed: \(problem)") }
        guard let version = conversion.versions.first(where: { ["v1", "v1beta1"].contains($0) }) else {
            throw failed("webhook does not accept known ConversionReview versions (v1, v1beta1)")
        }
        guard let transport, let endpoint = WebhookEndpoint(conversion.client) else { throw failed("webhook configuration must have either service or URL") }
        let uid = UniqueIdentifier.random()
        let review: JSON = [
            "kind": "ConversionReview", "apiVersion": .string("apiextensions.k8s.io/\(version)"),
            "request": ["uid": .string(uid), "desiredAPIVersion": .string(apiVersion), "objects": .array(objects)],
        ]
        let bytes: [UInt8]
        do throws(WebhookProblem) { bytes = try await transport.post(review.encoded(), to: endpoint, timeoutSeconds: Self.timeout) } catch {
            throw failed(error.description)
        }
        let answer: JSON
        do throws(JSONSyntaxError) { answer = try JSONParser.parse(bytes) } catch { throw failed("couldn't get version/kind; json parse error: \(error)") }
        if let problem = Self.problem(with: answer, uid: uid, version: version) { throw failed(problem) }
        let converted = answer["response"]["convertedObjects"].elements
        guard converted.count == objects.count else {
            throw APIStatus(code: 500, reason: "", message: "\(subject) returned \(converted.count) objects, expected \(objects.count)")
        }
        var result: [JSON] = []
        for (index, (before, after)) in zip(objects, converted).enumerated() {
            if let problem = Self.problem(with: after, from: before, apiVersion: apiVersion) {
                throw APIStatus(code: 500, reason: "", message: "\(subject) returned invalid converted object at index \(index): \(problem)")
            }
            result.append(Self.restored(after, from: before))
        }
        return result
    }

    private static func problem(with answer: JSON, uid: String, version: String) -> String? {
        let response = answer["response"]
        guard response.objectValue != nil else { return "no response provided" }
        let expected = "apiextensions.k8s.io/\(version), Kind=ConversionReview"
        let found = "\(answer["apiVersion"].stringValue ?? ""), Kind=\(answer["kind"].stringValue ?? "")"
        if version == "v1", found != expected { return "expected webhook response of \(expected), got \(found)" }
        if version == "v1", response["uid"].stringValue != uid {
            return "expected response.uid=\(JSON.quoted(uid)), got \(JSON.quoted(response["uid"].stringValue ?? ""))"
        }
        let status = response["result"]["status"].stringValue ?? ""
        if status == "Success" { return nil }
        let message = response["result"]["message"].stringValue ?? ""
        return message.isEmpty ? "response.result.status was '\(status)', not 'Success'" : message
    }

    private static func problem(with after: JSON, from before: JSON, apiVersion: String) -> String? {
        let version = after["apiVersion"].stringValue ?? ""
        if version != apiVersion { return "invalid groupVersion (expected \(apiVersion), received \(version))" }
        let (expected, kind) = (before["kind"].stringValue ?? "", after["kind"].stringValue ?? "")
        if kind != expected { return "invalid kind (expected \(expected), received \(kind))" }
        guard after["metadata"].objectValue != nil else { return "missing metadata in converted object" }
        for (key, title) in [("name", "name"), ("namespace", "namespace"), ("uid", "UID")] {
            let (own, other) = (before["metadata"][key].stringValue ?? "", after["metadata"][key].stringValue ?? "")
            if own != other { return "must have the same \(title): \(own) != \(other)" }
        }
        return nil
    }

    /// Of the metadata a webhook may change labels and annotations alone.
    private static func restored(_ after: JSON, from before: JSON) -> JSON {
        var object = after
        var metadata = before["metadata"]
        for key in ["labels", "annotations"] {
            let given = after["metadata"][key]
            if given.isNull { metadata.remove(key) } else { metadata[key] = given }
        }
        object["metadata"] = metadata
        return object
    }
}
