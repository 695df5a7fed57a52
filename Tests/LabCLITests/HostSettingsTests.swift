import Foundation
import Testing

@testable import LabCLI

@Suite struct HostSettingsTests {
    @Test func pipsFilesAndVariablesReachARun() throws {
        let home = FileManager.default.temporaryDirectory.appendingPathComponent("kindling-settings-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: "\(home)/.config/pip", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: home) }
        let wheels = "\(home)/wheels"
        try FileManager.default.createDirectory(atPath: wheels, withIntermediateDirectories: true)
        let text = "[global]\nindex-url = https://mirror.example.com/simple\n# no\nfind-links =\n    \(wheels)\ntarget = /elsewhere\n[list]\nformat = json\n"
        try text.write(toFile: "\(home)/.config/pip/pip.conf", atomically: true, encoding: .utf8)
        let settings = HostSettings(["HOME": home, "https_proxy": "http://proxy.example.com:3128", "PIP_TIMEOUT": "9", "SECRET": "x", "PIP_INDEX_URL": "https://own.example.com"])
        let values = Dictionary(settings.variables.map { ($0.name, $0.value) }, uniquingKeysWith: { _, last in last })
        // A variable goes before the file, and what says where pip installs is not taken along.
        #expect(values["PIP_INDEX_URL"] == "https://own.example.com" && values["PIP_TIMEOUT"] == "9" && values["https_proxy"] == "http://proxy.example.com:3128")
        #expect(values["SECRET"] == nil && values["PIP_TARGET"] == nil && values["PIP_FORMAT"] == nil)
        // A directory of this machine is shown where the image has nothing.
        let links = try #require(values["PIP_FIND_LINKS"]?.drop { $0 == " " })
        let mounts = try settings.mounts(in: home)
        #expect(links.hasPrefix("/dev/") && mounts.contains { $0.target == links && $0.source.hasSuffix("/wheels") })
    }
}
