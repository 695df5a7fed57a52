import Glibc
import KubeModel

/// A Python environment that the set-up script has built, as its `environment.json` describes it.
struct BuiltPython {
    /// Overlay layer that holds the environment at ``target``.
    var root: String
    var target: String
    var version: String
    /// For a base interpreter outside `/usr`.
    var mounts: [EnvironmentMount]

    /// - Throws: ``ImageError/unresolved(_:)`` with the set-up command when it has not been built or its interpreter has gone.
    static func load(
        name: String, requirements: String, image: String, share: ShareDirectory, cache: CacheDirectory
    ) throws(ImageError) -> BuiltPython {
        let bytes = try FileSystem.read(requirements)
        let directories = cache.pythonEnvironments(name: name, requirements: bytes)
        func notReady(_ reason: String) -> ImageError {
            let command = SetupScript(share: share, cache: cache).commandLine(name: name, requirements: requirements)
            return .unresolved(UnresolvedImage(image: image, reason: reason, command: command))
        }
        guard let directory = directories.first(where: { FileSystem.isFile("\($0)/environment.json") }) else {
            throw notReady("its Python environment \(name) has not been built yet")
        }
        let record: JSON
        do {
            record = try JSONParser.parse(try FileSystem.read("\(directory)/environment.json"))
        } catch let error as JSONSyntaxError {
            throw notReady("\(directory)/environment.json is damaged (\(error))")
        } catch {
            throw error as? ImageError ?? notReady("\(error)")
        }
        guard let target = record["target"].stringValue, let version = record["version"].stringValue,
            let executable = record["executable"].stringValue, let prefix = record["prefix"].stringValue
        else {
            throw notReady("\(directory)/environment.json lacks target, version, executable or prefix")
        }
        guard FileSystem.isExecutable(executable) else {
            throw notReady("the interpreter \(executable) of its Python environment \(name) is gone")
        }
        var mounts: [EnvironmentMount] = []
        if !FileSystem.isWithin(prefix, "/usr") {
            let base = try PythonPrefix(base: prefix, executable: executable)
            mounts = base.mounts
        }
        return BuiltPython(root: "\(directory)/root", target: target, version: version, mounts: mounts)
    }
}
