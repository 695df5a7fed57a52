public import Catalogue
import KubeModel

extension Registry {
    /// Objects in one page of questions to a webhook: an answer has to fit into memory.
    private static let most = 500

    /// Stored objects in the version of a kind. Those that are stored in another one are brought there by the definition's webhook; where
    /// it has none, versions differ in their names alone and the objects come back as they are.
    /// - Throws: 500 with upstream's words where the webhook does not answer, or not with these objects.
    public func shown(_ objects: [StoredObject], as kind: Kind) async throws(APIStatus) -> [StoredObject] {
        guard let conversion = kind.conversion else { return objects }
        var result = objects
        let others = objects.indices.filter { !objects[$0].isOf(apiVersion: kind.apiVersion, kind: kind.kind) }
        let review = ConversionReview(conversion: conversion, transport: hooks.webhooks)
        for start in stride(from: 0, to: others.count, by: Self.most) {
            let part = others[start..<min(start + Self.most, others.count)]
            let converted = try await review.convert(part.map { objects[$0].value }, to: kind.apiVersion)
            for (position, value) in zip(part, converted) {
                let object = objects[position]
                var value = value
                kind.schema.prune(&value)
                kind.schema.applyDefaults(&value, functions: [:])
                result[position] = StoredObject(key: object.key, revision: object.revision, value: value, intent: object.intent)
            }
        }
        return result
    }

    /// As `shown`, for one object.
    public func shown(_ object: StoredObject, as kind: Kind) async throws(APIStatus) -> StoredObject {
        if kind.conversion == nil { return object }
        return try await shown([object], as: kind)[0]
    }

    /// A new object of a kind as it is to be stored.
    func storedForm(_ object: JSON, of kind: Kind) async throws(APIStatus) -> JSON {
        guard let conversion = kind.conversion, conversion.stored != kind.apiVersion else { return object }
        return try await ConversionReview(conversion: conversion, transport: hooks.webhooks).convert([object], to: conversion.stored)[0]
    }
}
