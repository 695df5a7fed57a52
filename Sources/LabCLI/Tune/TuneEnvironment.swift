import Images

/// What `--env` may name: an image, a virtual environment or a conda prefix of the user's.
enum TuneEnvironment {
    /// The image that trials are to use. A directory or a conda environment is given a name of its own first, as
    /// `lab image add` does.
    ///
    /// - Throws: `CommandError` where nothing of the machine has that name.
    static func image(_ text: String, store: ImageStore) throws -> String {
        do throws(ImageError) {
            if let name = text.hasPrefix("conda:") ? String(text.dropFirst(6)) : nil {
                return try add(name, .conda(name), store)
            }
            if SmallFile.exists("\(text)/pyvenv.cfg") { return try add(text, .venv(text), store) }
            if SmallFile.isDirectory("\(text)/conda-meta") { return try add(text, .conda(text), store) }
            _ = try store.resolve(text)
            return text
        } catch {
            throw CommandError("--env \(text): \(error.description)")
        }
    }

    private static func add(_ text: String, _ source: EnvironmentSource, _ store: ImageStore) throws(ImageError) -> String {
        let absolute = text.contains("/") ? SmallFile.realPath(text) ?? text : text
        // The same directory has the same name each time, so that experiments can be told apart by their environments.
        let characters = absolute.lowercased().unicodeScalars.map { $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0)) ? Character($0) : "-" }
        let label = String(characters).split(separator: "-").joined(separator: "-")
        let image = "local/\(label.isEmpty ? "env" : String(label.suffix(100)).drop { $0 == "-" }):latest"
        try store.add(image, from: source)
        return image
    }
}
