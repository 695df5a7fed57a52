import Testing

@testable import LabCLI

@Suite struct DoctorTests {
    @Test func readsThePackageList() {
        let list = "# remark\nalpha   # what for\n\nbuild beta\n"
        #expect(PackageChecks.names(in: list, forBuilding: false) == ["alpha"])
        #expect(PackageChecks.names(in: list, forBuilding: true) == ["alpha", "beta"])
    }

    @Test func countsTheIdsOfAUser() {
        let text = "ann:100000:65536\n1000:200000:10\nbob:1:1\nbad line\n"
        #expect(HostChecks.rangeSize(in: text, user: "ann", uid: 1000) == 65546)
        #expect(HostChecks.rangeSize(in: text, user: "eve", uid: 7) == 0)
    }

    @Test func theProfileNamesTheDirectoryOfThePrograms() {
        let text = AppArmorProfile.text(AppArmorProfile.minimal, directory: "/home/a b/bin")
        #expect(text.contains("@{kindling}=\"/home/a b/bin\"") && text.contains("userns,") && !text.contains("/usr/bin"))
    }
}
