public import Catalogue
import KubeModel

extension Registry {
    /// Objects in one page of questions to a webhook: an answer has to fit into memory.
    private static let most = 500

    /// Stored objects in the version of a kind, by its schema as it is now: defaults that were added since are filled in, and fields that
    /// were taken out are left out (upstream: apiextensions-apiserver, crdConversionRESTOptionsGetter).
    /// Those that are stored in another one are brought there by the definition's webhook; where it has none, versions differ in their
    /// names alone.
    /// - Throws: 500 with upstream's words where the webhook does not answer, or not with these objects.
    public func shown(_ objects: [StoredObject], as kind: Kind) async throws(APIStatus) -> [StoredObject] {
        guard let conversion = kind.conversion else { return kind.schemaIdentity == nil ? objects : objects.map { read($0, as: kind) } }
        var result = objects
        let others = objects.indices.filter { !objects[$0].isOf(apiVersion: kind.apiVersion, kind: kind.kind) }
        if others.count < objects.count {
            let converted = Set(others)
            for index in objects.indices where !converted.contains(index) { result[index] = read(objects[index], as: kind) }
        }
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
        if kind.conversion == nil { return read(object, as: kind) }
        return try await shown([object], as: kind)[0]
    }

    /// A stored object by the schema of a user's kind as it is now. Whether it is so already is looked up once for each schema.
    public func read(_ object: StoredObject, as kind: Kind) -> StoredObject {
        guard let schema = kind.schemaIdentity, !object.isWhole(by: schema) else { return object }
        var value = object.value
        kind.schema.prune(&value)
        kind.schema.dropNullsOfCustomResource(&value)
        kind.schema.applyDefaults(&value, functions: [:])
        if value == object.value {
            object.markWhole(by: schema)
            return object
        }
        return StoredObject(key: object.key, revision: object.revision, value: value, intent: object.intent)
    }

    /// A new object of a kind as it is to be stored.
    func storedForm(_ object: JSON, of kind: Kind) async throws(APIStatus) -> JSON {
        guard let conversion = kind.conversion, conversion.stored != kind.apiVersion else { return object }
        return try await ConversionReview(conversion: conversion, transport: hooks.webhooks).convert([object], to: conversion.stored)[0]
    }
}
