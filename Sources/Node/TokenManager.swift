public import Access
public import Catalogue
public import KubeModel
import Registry
import Synchronization

/// The tokens of pods' projected volumes, each bound to its pod. A token is kept until four fifths of its time are over (or
/// a day), and made anew then (upstream: pkg/kubelet/token/token_manager.go).
public final class TokenManager: ServiceAccountTokens {
    private struct Place: Hashable {
        let audience: String
        let seconds: Int
    }

    private struct Held {
        let token: String
        let renewal: Timestamp
    }

    private struct State {
        var byPod: [String: [Place: Held]] = [:]
        var issued = 0
    }

    private static let usualSeconds = 3600
    private static let longestKept: Int64 = 86_400
    private static let retryInterval = Duration.seconds(10)
    /// After so many new tokens those of pods that are gone are let go of.
    private static let sweepInterval = 256

    private let issuer: TokenIssuer
    private let catalogue: Catalogue
    private let clock: TimeSource
    private let state = Mutex(State())

    public init(issuer: TokenIssuer, catalogue: Catalogue, clock: TimeSource = .system) {
        self.issuer = issuer
        self.catalogue = catalogue
        self.clock = clock
    }

    public func token(_ source: JSON, for pod: StoredObject) throws(MissingConfiguration) -> String {
        let seconds = source["expirationSeconds"].intValue ?? Self.usualSeconds
        let place = Place(
            audience: source["audience"].stringValue ?? "",
            seconds: min(max(seconds, TokenIssuer.lifetimes.lowerBound), TokenIssuer.lifetimes.upperBound))
        let now = clock.now
        if let held = state.withLock({ $0.byPod[pod.uid]?[place] }), now < held.renewal { return held.token }
        let name = pod.spec["serviceAccountName"].stringValue ?? "default"
        guard let account = catalogue.get(ObjectKey(.serviceAccounts, namespace: pod.namespace, name: name)) else {
            throw MissingConfiguration(description: "failed to fetch token: serviceaccounts \"\(name)\" not found")
        }
        do {
            let audiences = place.audience.isEmpty ? [] : [place.audience]
            let made = try issuer.issue(for: account, audiences: audiences, seconds: place.seconds, boundTo: .pod(pod))
            let renewal = Timestamp(seconds: now.seconds + min(Int64(place.seconds) * 4 / 5, Self.longestKept))
            keep(Held(token: made.token, renewal: renewal), place, pod)
            return made.token
        } catch {
            throw MissingConfiguration(description: "failed to fetch token: \(error)")
        }
    }

    /// A token that is overdue could not be made anew, or nothing runs that reads it: no reason to look again at once.
    public func timeLeft(for pod: StoredObject) -> Duration? {
        guard let renewal = state.withLock({ $0.byPod[pod.uid]?.values.map(\.renewal).min() }) else { return nil }
        let left = renewal - clock.now
        return left > .zero ? left : Self.retryInterval
    }

    private func keep(_ held: Held, _ place: Place, _ pod: StoredObject) {
        let mustSweep = state.withLock { state in
            state.byPod[pod.uid, default: [:]][place] = held
            state.issued += 1
            return state.issued % Self.sweepInterval == 0
        }
        guard mustSweep else { return }
        let gone = state.withLock { Array($0.byPod.keys) }.filter { catalogue.object(uid: $0)?.isTerminalPod ?? true }
        state.withLock { state in for uid in gone { state.byPod[uid] = nil } }
    }
}
