import CArchive
import Glibc
import KubeModel

/// What is known of one loaded image.
public struct ImageFacts: Sendable {
    /// As `lab image inspect` shows it: name, digests, sizes, and the image's own configuration.
    public var json: JSON
    /// A line of `lab image history` each, newest first.
    public var history: [Step]

    public struct Step: Sendable, Equatable {
        /// As RFC 3339; empty where the image does not say.
        public var created: String
        /// What made the layer, such as a Dockerfile's line.
        public var command: String
        /// Bytes of the layer as the archive had it; 0 for a step that made none.
        public var bytes: Int64
    }
}

/// What ``ImageStore/prune()`` removed.
public struct PrunedContent: Sendable, Equatable {
    public var layers = 0
    public var blobs = 0
    /// Of blobs, and of files in layers, as far as they are not shared.
    public var bytes: Int64 = 0
    /// Layers that no name needs and a pod still uses.
    public var kept = 0
}

extension ImageStore {
    /// - Throws: ``ImageError/invalidArgument(_:)`` where the name does not stand for a loaded image.
    public func facts(_ image: String) throws(ImageError) -> ImageFacts {
        let (name, definition, manifest) = try loaded(image)
        guard let digest = manifest["config"]["digest"].stringValue, let file = content.blob(digest) else {
            throw .damagedArchive(file: content.directory, reason: "the manifest of \(name) has no config")
        }
        let configuration = try ImageConfiguration(try FileSystem.read(file), in: file, needsLayers: false)
        var layers: [JSON] = []
        let descriptors = manifest["layers"].elements
        for (descriptor, diffID) in zip(descriptors, configuration.diffIDs) {
            layers.append([
                "digest": descriptor["digest"], "diffID": .string(diffID), "size": descriptor["size"], "mediaType": descriptor["mediaType"],
            ])
        }
        var made = descriptors.makeIterator()
        let steps = configuration.json["history"].elements.map { step in
            let isEmpty = step["empty_layer"].boolValue == true
            return ImageFacts.Step(
                created: step["created"].stringValue ?? "", command: step["created_by"].stringValue ?? step["comment"].stringValue ?? "",
                bytes: isEmpty ? 0 : Int64(made.next()?["size"].intValue ?? 0))
        }
        let json: JSON = [
            "name": .string(name), "digest": .string(definition.manifest ?? ""), "id": .string(digest), "created": configuration.json["created"],
            "os": .string(configuration.json["os"].stringValue ?? "linux"), "architecture": configuration.json["architecture"],
            "size": .int(definition.bytes), "config": configuration.json["config"], "layers": .array(layers),
        ]
        return ImageFacts(json: json, history: steps.reversed())
    }

    /// The name as it is kept, its definition and its manifest.
    func loaded(_ image: String) throws(ImageError) -> (name: String, definition: EnvironmentDefinition, manifest: JSON) {
        let reference = try ImageReference(image)
        guard let definition = definition(for: reference) else { throw .unresolved(unknown(image, reference, isAlias: false)) }
        guard let digest = definition.manifest, let file = content.blob(digest) else {
            throw .invalidArgument(
                "\(reference.familiar) stands for \(definition.summary), which is no image with layers of its own: "
                    + "only what `lab image load` or `lab image build` made can be looked into or saved")
        }
        do {
            return (definition.images.first?.description ?? reference.description, definition, try JSONParser.parse(try FileSystem.read(file)))
        } catch let error as JSONSyntaxError {
            throw .damagedArchive(file: file, reason: "\(error)")
        } catch {
            throw error as? ImageError ?? .damagedArchive(file: file, reason: "\(error)")
        }
    }

    /// Lets another name stand for what a name stands for now: of a loaded image it is the image, whatever becomes of the first
    /// name; of anything else an alias.
    public func tag(_ image: String, as other: String) throws(ImageError) {
        let name = try Self.exactName(other)
        let reference = try ImageReference(image)
        guard let definition = definition(for: reference) else { throw .unresolved(unknown(image, reference, isAlias: false)) }
        guard definition.manifest != nil else {
            try add(other, from: .alias(image))
            return
        }
        try content.exclusively { () throws(ImageError) in
            let text = String(decoding: try FileSystem.read(definition.file), as: UTF8.self)
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map {
                $0.hasPrefix("images:") ? "images: [\(JSON.string(name).text)]" : String($0)
            }
            try FileSystem.writeAtomically(Array(lines.joined(separator: "\n").utf8), to: file(of: try ImagePattern(name)))
        }
    }

    /// Removes content that no name needs and no pod uses.
    ///
    /// - Throws: ``ImageError/invalidDefinition(file:reason:)`` while a definition cannot be read: it may need anything.
    public func prune() throws(ImageError) -> PrunedContent {
        if let problem = problems().first { throw problem }
        let content = content
        return try content.exclusively { () throws(ImageError) in
            let builds = BuildSession.held(in: content)
            var layers = builds.layers
            var blobs = builds.blobs
            for definition in loadedDefinitions() {
                layers.formUnion(definition.builtLayers.map(FileSystem.lastComponent))
                if case .layers(let directories) = definition.base { layers.formUnion(directories.map(FileSystem.lastComponent)) }
                guard let digest = definition.manifest, let file = content.blob(digest) else { continue }
                blobs.insert(FileSystem.lastComponent(file))
                guard let bytes = try? FileSystem.read(file), let manifest = try? JSONParser.parse(bytes) else { continue }
                for part in [manifest["config"]] + manifest["layers"].elements {
                    if let digits = part["digest"].stringValue.flatMap(Digest.digits) { blobs.insert(digits) }
                }
            }
            var pruned = PrunedContent()
            for name in FileSystem.names(in: content.blobs) where !blobs.contains(name) {
                pruned.bytes += Int64(FileSystem.linkStatus("\(content.blobs)/\(name)")?.st_size ?? 0)
                unlink("\(content.blobs)/\(name)")
                pruned.blobs += 1
            }
            for name in FileSystem.names(in: content.layers) where !layers.contains(name) {
                guard try removeLayer(name, content, &pruned.bytes) else {
                    pruned.kept += 1
                    continue
                }
                pruned.layers += 1
            }
            BuildCache(content: content).removeStale(isBuilding: builds.isAny)
            return pruned
        }
    }

    /// Takes the name away before it looks who uses it: a container that is just being started does not find the layer then,
    /// and one that has found it has said so in its record.
    private func removeLayer(_ name: String, _ content: ImageContent, _ bytes: inout Int64) throws(ImageError) -> Bool {
        let place = "\(content.layers)/\(name)"
        guard !isUsed(place) else { return false }
        let scratch = try content.scratch(in: content.layers)
        let aside = "\(scratch)/\(name)"
        guard rename(place, aside) == 0 else { throw .system(path: place, operation: "remove", code: errno) }
        guard !isUsed(place) else {
            guard rename(aside, place) == 0 else { throw .system(path: place, operation: "put back", code: errno) }
            rmdir(scratch)
            return false
        }
        bytes += FileSystem.treeSize(aside)
        FileSystem.removeTree(scratch)
        return true
    }

    /// Whether the record of any container that is kept names the layer.
    private func isUsed(_ layer: String) -> Bool {
        let state = FileSystem.directory(of: directory)
        let needle = Array("\(FileSystem.lastComponent(layer))".utf8)
        for pod in FileSystem.names(in: "\(state)/pods") {
            let containers = "\(state)/pods/\(pod)/containers"
            for container in FileSystem.names(in: containers) {
                for attempt in FileSystem.names(in: "\(containers)/\(container)") {
                    let record = "\(containers)/\(container)/\(attempt)"
                    guard FileSystem.isFile("\(record)/spec"), FileSystem.status("\(record)/exit")?.st_size ?? 0 == 0 else { continue }
                    guard let bytes = try? FileSystem.read("\(record)/spec") else { return true }
                    if bytes.withUnsafeBytes({ carchive_contains($0.baseAddress, $0.count, needle, needle.count) }) { return true }
                }
            }
        }
        return false
    }
}
