import KubeModel

/// Where a webhook is.
public struct WebhookEndpoint: Sendable, Hashable {
    public enum Place: Sendable, Hashable {
        case url(String)
        case service(namespace: String, name: String, path: String, port: Int)
    }

    public let place: Place
    /// Who may vouch for its certificate, in PEM; empty for the machine's own list.
    public let authorities: [UInt8]

    public init(place: Place, authorities: [UInt8] = []) {
        self.place = place
        self.authorities = authorities
    }

    /// Reads `clientConfig`; `nil` where it names no place.
    init?(_ config: JSON) {
        authorities = config["caBundle"].stringValue.flatMap { Base64.decode($0) } ?? []
        if let url = config["url"].stringValue {
            place = .url(url)
        } else if let name = config["service"]["name"].stringValue, let namespace = config["service"]["namespace"].stringValue {
            let path = config["service"]["path"].stringValue ?? "/"
            place = .service(namespace: namespace, name: name, path: path.isEmpty ? "/" : path, port: config["service"]["port"].intValue ?? 443)
        } else {
            return nil
        }
    }

    /// As errors show it; the name of a service is the one that its certificate must be for.
    public var url: String {
        switch place {
        case .url(let url): url
        case .service(let namespace, let name, let path, let port): "https://\(name).\(namespace).svc:\(port)\(path.hasPrefix("/") ? path : "/" + path)"
        }
    }
}

/// Why a webhook gave no answer, as Go's client words it: `Post "https://…": connect: connection refused`.
public struct WebhookProblem: Error, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}

/// Brings a review to a webhook. No lock and no write is held meanwhile.
public protocol WebhookTransport: Sendable {
    /// - Returns: the body of an answer with status 200.
    func post(_ body: [UInt8], to endpoint: WebhookEndpoint, timeoutSeconds: Int) async throws(WebhookProblem) -> [UInt8]
}

/// One question to one webhook, and what its answer means (upstream: admission/plugin/webhook/request).
struct WebhookReview {
    /// An answer that lets the request pass.
    struct Answer: Sendable {
        var patch: JSON?
        var warnings: [String] = []
    }

    /// Why there is no such answer.
    enum Failure: Error, Sendable {
        /// Nobody answered, or not what a webhook answers: its failurePolicy decides.
        case unanswered(String)
        /// It refused, or the server could not make anything of a proper answer.
        case status(APIStatus)
    }

    let hook: JSON
    let request: AdmissionRequest
    let target: AdmissionRequest.Target
    let mutates: Bool

    var name: String { hook["name"].stringValue ?? "" }
    private static let versions = ["v1", "v1beta1"]

    func ask(_ transport: any WebhookTransport) async throws(Failure) -> Answer {
        let effects = hook["sideEffects"].stringValue ?? "Unknown"
        if request.isDryRun, effects != "None", effects != "NoneOnDryRun" {
            throw .status(.badRequest("admission webhook \"\(name)\" does not support dry run"))
        }
        guard let version = hook["admissionReviewVersions"].elements.compactMap(\.stringValue).first(where: Self.versions.contains) else {
            throw .unanswered("could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)")
        }
        guard let endpoint = WebhookEndpoint(hook["clientConfig"]) else {
            throw .unanswered("could not get REST client: webhook configuration must have either service or URL")
        }
        let uid = UniqueIdentifier.random()
        let body = review(uid, "admission.k8s.io/\(version)").encoded()
        let bytes: [UInt8]
        do throws(WebhookProblem) {
            bytes = try await transport.post(body, to: endpoint, timeoutSeconds: hook["timeoutSeconds"].intValue ?? 10)
        } catch { throw .unanswered("failed to call webhook: \(error)") }
        let json: JSON
        do throws(JSONSyntaxError) { json = try JSONParser.parse(bytes) } catch {
            throw .unanswered("failed to call webhook: couldn't get version/kind; json parse error: \(error)")
        }
        return try read(json, uid, version)
    }

    private func review(_ uid: String, _ apiVersion: String) -> JSON {
        var asked: JSON = ["uid": .string(uid)]
        for (key, value) in request.json(as: target).members { asked[key] = value }
        asked["object"] = request.present(request.object, as: target)
        asked["oldObject"] = request.present(request.oldObject, as: target)
        return ["kind": "AdmissionReview", "apiVersion": .string(apiVersion), "request": asked]
    }

    // MARK: The answer

    private func read(_ review: JSON, _ uid: String, _ version: String) throws(Failure) -> Answer {
        let response = review["response"]
        func wrong(_ problem: String) -> Failure { .unanswered("received invalid webhook response: \(problem)") }
        guard response.objectValue != nil else { throw wrong("webhook response was absent") }
        if version == "v1" {
            let found = response["uid"].stringValue ?? ""
            guard found == uid else { throw wrong("expected response.uid=\(JSON.quoted(uid)), got \(JSON.quoted(found))") }
            let apiVersion = review["apiVersion"].stringValue ?? ""
            guard apiVersion == "admission.k8s.io/v1", review["kind"].stringValue == "AdmissionReview" else {
                let shown = "\(apiVersion.isEmpty ? "/" : apiVersion), Kind=\(review["kind"].stringValue ?? "")"
                throw wrong("expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got \(shown)")
            }
            try checkPatchType(response, wrong)
        }
        let warnings = response["warnings"].elements.compactMap(\.stringValue)
        guard response["allowed"].boolValue == true else { throw .status(denial(response["status"])) }
        return Answer(patch: mutates ? try patch(response) : nil, warnings: warnings)
    }

    private func checkPatchType(_ response: JSON, _ wrong: (String) -> Failure) throws(Failure) {
        let hasPatch = !(response["patch"].stringValue ?? "").isEmpty
        let hasType = !response["patchType"].isNull
        if !mutates {
            if hasPatch { throw wrong("validating webhook may not return response.patch") }
            if hasType { throw wrong("validating webhook may not return response.patchType") }
            return
        }
        if hasPatch, !hasType { throw wrong("webhook returned response.patch but not response.patchType") }
        if !hasPatch, hasType { throw wrong("webhook returned response.patchType but not response.patch") }
        if hasType, response["patchType"].stringValue != "JSONPatch" {
            throw .unanswered("unsupported patch type \(JSON.quoted(response["patchType"].stringValue ?? ""))")
        }
    }

    private func patch(_ response: JSON) throws(Failure) -> JSON? {
        guard let text = response["patch"].stringValue, !text.isEmpty else { return nil }
        func undecodable(_ problem: String) -> Failure { .unanswered("received undecodable patch in webhook response: \(problem)") }
        guard let bytes = Base64.decode(text) else { throw undecodable("illegal base64 data") }
        let patch: JSON
        do throws(JSONSyntaxError) { patch = try JSONParser.parse(bytes) } catch { throw undecodable("\(error)") }
        guard case .array(let operations) = patch else { throw undecodable("expected an array of operations, found \(patch.typeName)") }
        if operations.isEmpty { return nil }
        if request.object.isNull {
            let problem = "admission webhook \"\(name)\" attempted to modify the object, which is not supported for this operation"
            throw .status(.internalError(problem))
        }
        return patch
    }

    /// Upstream: webhook/errors/statuserror.go.
    private func denial(_ result: JSON) -> APIStatus {
        let refused = "admission webhook \"\(name)\" denied the request"
        let details = result["details"]
        var status = APIStatus(code: max(400, result["code"].intValue ?? 400), reason: result["reason"].stringValue ?? "", message: "\(refused) without explanation")
        if status.code > 599 { status.code = 400 }
        if let message = result["message"].stringValue, !message.isEmpty {
            status.message = "\(refused): \(message)"
        } else if !status.reason.isEmpty {
            status.message = "\(refused): \(status.reason)"
        }
        status.group = details["group"].stringValue ?? ""
        status.kind = details["kind"].stringValue ?? ""
        status.name = details["name"].stringValue ?? ""
        status.retryAfterSeconds = details["retryAfterSeconds"].intValue
        status.causes = details["causes"].elements.map {
            APIStatus.Cause(reason: $0["reason"].stringValue ?? "", message: $0["message"].stringValue ?? "", field: $0["field"].stringValue ?? "")
        }
        return status
    }
}
