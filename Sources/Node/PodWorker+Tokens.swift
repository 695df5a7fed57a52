import KubeModel

extension PodWorker {
    /// Tokens of a running pod are made anew before they end: its volumes are written again then.
    func refreshTokens(_ spec: PodSpec) {
        guard let tokens = context.tokens, Self.hasToken(spec) else { return }
        // What an earlier daemon gave out is not known to this one: a new token is.
        if let left = tokens.timeLeft(for: spec.object), left > .zero { return }
        guard containers.values.contains(where: { $0.running != nil }) else { return }
        let catalogue = context.catalogue
        let volumes = PodVolumes(
            pod: spec, directory: directory.volumes, settings: context.settings, fields: fields(spec),
            config: context.config(namespace: spec.namespace), find: { catalogue.get($0) }, tokens: tokens)
        do {
            _ = try volumes.prepare()
        } catch {
            context.client.event(spec.object, type: "Warning", reason: "FailedMount", message: error.message)
        }
    }

    private static func hasToken(_ spec: PodSpec) -> Bool {
        spec.json["volumes"].elements.contains { volume in
            volume["projected"]["sources"].elements.contains { !$0["serviceAccountToken"].isNull }
        }
    }
}
