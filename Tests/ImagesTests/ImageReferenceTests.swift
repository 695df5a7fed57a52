import Testing

@testable import Images

@Suite struct ImageReferenceTests {
    @Test(arguments: [
        ("python", "docker.io/library/python:latest", "python:latest"),
        ("python:3.7", "docker.io/library/python:3.7", "python:3.7"),
        ("docker.io/python:3.7", "docker.io/library/python:3.7", "python:3.7"),
        ("index.docker.io/library/python:3.7", "docker.io/library/python:3.7", "python:3.7"),
        (
            "docker.io/kubeflowkatib/mxnet-mnist:v1beta1-45c5727", "docker.io/kubeflowkatib/mxnet-mnist:v1beta1-45c5727",
            "kubeflowkatib/mxnet-mnist:v1beta1-45c5727"
        ),
        ("ghcr.io/kubeflow/katib/x", "ghcr.io/kubeflow/katib/x:latest", "ghcr.io/kubeflow/katib/x:latest"),
        ("localhost/x", "localhost/x:latest", "localhost/x:latest"),
        ("localhost:5000/x:y", "localhost:5000/x:y", "localhost:5000/x:y"),
        ("Upper/x", "Upper/x:latest", "Upper/x:latest"),
        ("[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"),
        ("a__b/c-d/e.f:T_1", "docker.io/a__b/c-d/e.f:T_1", "a__b/c-d/e.f:T_1"),
        (
            "x@sha256:0123456789abcdef0123456789abcdef", "docker.io/library/x@sha256:0123456789abcdef0123456789abcdef",
            "x@sha256:0123456789abcdef0123456789abcdef"
        ),
        (
            "x:1@sha256:0123456789abcdef0123456789abcdef", "docker.io/library/x:1@sha256:0123456789abcdef0123456789abcdef",
            "x:1@sha256:0123456789abcdef0123456789abcdef"
        ),
    ])
    func normalizesAsDocker(text: String, full: String, familiar: String) throws {
        let reference = try ImageReference(text)
        #expect(reference.description == full)
        #expect(reference.familiar == familiar)
    }

    @Test(arguments: [
        "", " ", "Python", "python:", "python:-x", "python: 3", "a//b", "/a", "a/", "a..b", "a___b", ".a", "a-", "x@sha256:12",
        "x@sha256", "x@:0123456789abcdef0123456789abcdef", "host:port/x", "a b", "x:1:2", "x\n", "héllo", "[zz]/x",
        "ex_ample.com/x", String(repeating: "a", count: 300), "x:" + String(repeating: "a", count: 129),
    ])
    func refusesWhatIsNoName(text: String) {
        #expect(throws: ImageError.self) { try ImageReference(text) }
    }

    @Test(arguments: [
        ("python:*", "python:3.7", true), ("python:*", "docker.io/library/python", true),
        ("python:*", "ghcr.io/x/python:3", false),
        ("python:*", "python@sha256:0123456789abcdef0123456789abcdef", true), ("python:3.*", "python:3.7", true),
        ("python:3.*", "python:2.7", false), ("python", "python:latest", true), ("python", "python:3", false),
        ("jupyter/*", "jupyter/scipy-notebook:x", true), ("jupyter/*", "docker.io/jupyter/a/b", true),
        ("jupyter/*", "quay.io/jupyter/a", false), ("quay.io/*/a-*:1", "quay.io/x/y/a-b:1", true),
        ("quay.io/*/a-*:1", "quay.io/x/y/a-b:2", false), ("x:1", "x:1@sha256:0123456789abcdef0123456789abcdef", true),
        ("x:1", "x@sha256:0123456789abcdef0123456789abcdef", false),
    ])
    func matchesPatterns(pattern: String, image: String, expected: Bool) throws {
        #expect(try ImagePattern(pattern).matches(ImageReference(image)) == expected)
    }

    @Test func readsPythonVersionsFromTags() {
        #expect(PythonVersion.inTag("3.7-slim")?.description == "3.7")
        #expect(PythonVersion.inTag("3.7")?.admits("3.11.2") == false)
        #expect(PythonVersion.inTag("3.11.9-bookworm")?.admits("3.11.2") == true)
        #expect(PythonVersion.inTag("2")?.admits("3.11.2") == false)
        for tag in ["latest", "slim", "3", "3-alpine", "alpine3.6"] { #expect(PythonVersion.inTag(tag) == nil) }
    }
}
