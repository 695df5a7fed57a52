public import Access
public import Catalogue
public import ControllerRuntime
import KubeModel
public import Registry

/// Fills Secrets of type `kubernetes.io/service-account-token` with token, certificate and namespace, and removes those whose
/// ServiceAccount is gone (upstream: pkg/controller/serviceaccount/tokens_controller.go).
public struct TokenSecretReconciler: Reconciler {
    public let name = "serviceaccount-token-controller"
    public let sources: [EventSource]
    private let client: Client
    private let tokens: TokenIssuer
    private let certificate: String

    /// - Parameter certificate: the authority's certificate in PEM.
    public init(client: Client, tokens: TokenIssuer, certificate: String) {
        self.client = client
        self.tokens = tokens
        self.certificate = certificate
        let catalogue = client.catalogue
        sources = [
            EventSource(.secrets) { Self.isToken($0.object) ? [$0.object.key] : [] },
            EventSource(.serviceAccounts) { change in
                catalogue.list(.secrets, namespace: change.object.namespace).objects
                    .filter { Self.isToken($0) && $0.annotations[AccountSecret.nameAnnotation] == change.object.name }.map(\.key)
            },
        ]
    }

    private static func isToken(_ secret: StoredObject) -> Bool { secret.value["type"].stringValue == AccountSecret.type }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let secret = client.get(key), Self.isToken(secret), !secret.isBeingDeleted else { return .done }
        let name = secret.annotations[AccountSecret.nameAnnotation] ?? ""
        let uid = secret.annotations[AccountSecret.uidAnnotation] ?? ""
        guard let account = client.get(.serviceAccounts, namespace: key.namespace, name: name), uid.isEmpty || uid == account.uid else {
            try await client.delete(key, uid: secret.uid)
            return .done
        }
        let existing = secret.value["data"]["token"].stringValue.flatMap(Base64.decode).map { String(decoding: $0, as: UTF8.self) }
        let token: String
        // A catalogue that came from another lab has tokens of its key.
        if let existing, tokens.hasSigned(existing) { token = existing } else { token = try tokens.issueLegacy(for: account, secret: secret) }
        let wanted = ["token": token, "ca.crt": certificate, "namespace": key.namespace].mapValues { JSON.string(Base64.encode($0)) }
        try await client.update(key, uid: secret.uid) { value in
            for (name, data) in wanted where value["data"][name] != data { value["data"][name] = data }
            if value["metadata"]["annotations"][AccountSecret.uidAnnotation].stringValue != account.uid {
                value["metadata"]["annotations"][AccountSecret.uidAnnotation] = .string(account.uid)
            }
        }
        return .done
    }
}
