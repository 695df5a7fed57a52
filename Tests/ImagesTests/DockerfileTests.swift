import Foundation
import Testing

@testable import Images

@Suite struct DockerfileTests {
    private func steps(_ text: String) throws -> [Dockerfile.Kind] {
        let file = try DockerfileParser.parse("FROM base\n" + text, file: "Dockerfile")
        return file.stages[0].steps.map(\.kind)
    }

    static let forms: [(String, [Dockerfile.Kind])] = [
        ("RUN echo a", [.run(.init(words: .shell("echo a")))]),
        ("run echo a", [.run(.init(words: .shell("echo a")))]),
        ("RUN [\"a\", \"b c\"]", [.run(.init(words: .exec(["a", "b c"])))]),
        // No JSON: the shell's own [.
        ("RUN [ -d /x ] && true", [.run(.init(words: .shell("[ -d /x ] && true")))]),
        ("RUN echo a \\\n  && echo b", [.run(.init(words: .shell("echo a   && echo b")))]),
        ("RUN a \\  \n # no\n\n  b", [.run(.init(words: .shell("a   b")))]),
        ("RUN echo \\\\", [.run(.init(words: .shell("echo \\\\")))]),
        ("  # comment\nRUN a # kept", [.run(.init(words: .shell("a # kept")))]),
        ("RUN <<EOF\na\n  b\nEOF\nRUN c", [.run(.init(words: .shell("<<EOF"), script: "a\n  b\n")), .run(.init(words: .shell("c")))]),
        ("RUN <<-EOF\n\ta\n\tEOF", [.run(.init(words: .shell("<<-EOF"), script: "a\n"))]),
        ("RUN python3 <<'EOF'\nprint(1)\nEOF", [.run(.init(words: .shell("python3 <<'EOF'\nprint(1)\nEOF\n")))]),
        ("RUN --network=none a", [.run(.init(words: .shell("a"), hasNetwork: false))]),
        (
            "RUN --mount=type=cache,target=/c --mount=type=bind,source=x,target=/b --mount=type=tmpfs,target=/t a",
            [
                .run(
                    .init(
                        words: .shell("a"),
                        mounts: [
                            .init(kind: .cache(id: "/c"), target: "/c"), .init(kind: .bind(from: nil, source: "x"), target: "/b"),
                            .init(kind: .tmpfs, target: "/t"),
                        ]))
            ]
        ),
        ("COPY a b /c/", [.copy(.init(sources: ["a", "b"], destination: "/c/"))]),
        (
            "COPY --from=x --chown=1:2 --chmod=755 --link [\"a b\", \"/c\"]",
            [.copy(.init(sources: ["a b"], destination: "/c", from: "x", owner: "1:2", mode: "755"))]
        ),
        ("COPY <<EOF <<\"F\" /d/\n$A\nEOF\nb\nF", [
            .copy(
                .init(
                    sources: [],
                    heredocs: [.init(name: "EOF", content: "$A\n", isExpanded: true), .init(name: "F", content: "b\n", isExpanded: false)],
                    destination: "/d/"))
        ]),
        ("ADD a.tar.gz /x", [.copy(.init(sources: ["a.tar.gz"], destination: "/x", unpacks: true))]),
        ("ENV A=1 B=\"x y\" C=x\\ y", [.environment([.init(name: "A", value: "1"), .init(name: "B", value: "\"x y\""), .init(name: "C", value: "x\\ y")])]),
        ("ENV A one two", [.environment([.init(name: "A", value: "one two")])]),
        ("ARG A B=2", [.argument([.init(name: "A", value: nil), .init(name: "B", value: "2")])]),
        ("LABEL a.b=\"c\"", [.label([.init(name: "a.b", value: "\"c\"")])]),
        ("WORKDIR /a b", [.workingDirectory("/a b")]),
        ("USER a:b", [.user("a:b")]),
        ("CMD a b", [.command(.shell("a b"))]),
        ("CMD [\"a\"]\nENTRYPOINT [\"b\"]", [.command(.exec(["a"])), .entrypoint(.exec(["b"]))]),
        ("ENTRYPOINT []", [.entrypoint(.exec([]))]),
        ("EXPOSE 80 53/udp", [.expose("80 53/udp")]),
        ("VOLUME /a /b\nVOLUME [\"/c\"]", [.volume(["/a", "/b"]), .volume(["/c"])]),
        ("STOPSIGNAL SIGINT\nSHELL [\"/bin/bash\", \"-c\"]\nMAINTAINER me", [.stopSignal("SIGINT"), .shell(["/bin/bash", "-c"]), .maintainer("me")]),
    ]

    @Test(arguments: forms) func formsOfInstructions(text: String, expected: [Dockerfile.Kind]) throws {
        #expect(try steps(text) == expected)
    }

    static let refusals: [(String, Int, String)] = [
        ("", 1, "it has no FROM"), ("RUN a", 1, "before the first FROM"), ("FROM a\nFETCH b", 2, "FETCH is no instruction"),
        ("FROM a\n\nHEALTHCHECK CMD x", 3, "livenessProbe"), ("FROM a\nONBUILD RUN x", 2, "ONBUILD is not supported"),
        ("FROM a\nADD https://x/y /z", 2, "nothing is ever fetched silently"), ("FROM a\nADD git@x:y /z", 2, "COPY it"),
        ("FROM a\nADD --checksum=x y /z", 2, "--checksum is not supported"), ("FROM a\nCOPY --parents x /z", 2, "--parents is not supported"),
        ("FROM a\nCOPY x", 2, "at least a source and a destination"), ("FROM a\nRUN --mount=type=secret,id=x,target=/y z", 2, "type=secret is not supported"),
        ("FROM a\nRUN --mount=type=ssh,target=/y z", 2, "only cache, bind and tmpfs"), ("FROM a\nRUN --security=insecure z", 2, "--security is not supported"),
        ("FROM a\nRUN --network=host z", 2, "expected none or default"), ("FROM a\nRUN <<EOF\nx", 2, "put EOF on a line of its own"),
        ("FROM a b c", 1, "expected NAME or NAME AS STAGE"), ("FROM a AS 1x", 1, "begins with a letter"), ("FROM --x=y a", 1, "--x is not supported"),
        ("# escape=x\nFROM a", 1, "expected \\ or `"), ("FROM a\nENV A", 2, "expected NAME=value"), ("FROM a\nARG 1=2", 2, "expected NAME or NAME=default"),
        ("FROM a\nSHELL bash", 2, "expected a list"), ("FROM a\nRUN a \\\n b\nWORKDIR", 4, "WORKDIR needs at least one word"), ("FROM a\nRUN []", 2, "names no program"),
    ]

    @Test(arguments: refusals) func whatIsNotDoneIsRefusedByLine(text: String, line: Int, reason: String) {
        #expect { try DockerfileParser.parse(text, file: "D") } throws: { "\($0)".hasPrefix("D:\(line): ") && "\($0)".contains(reason) }
    }

    @Test func stagesArgumentsAndDirectives() throws {
        let text = "# syntax=docker/dockerfile:1\n# escape=`\nARG V=3\n\nFROM a:$V AS Build\nRUN x `\n y\nFROM --platform=linux/amd64 scratch\nCOPY --from=build /x /\r\n"
        let file = try DockerfileParser.parse(text, file: "D")
        #expect(file.escape == "`" && file.arguments == [.init(name: "V", value: "3")])
        #expect(file.stages.map(\.base) == ["a:$V", "scratch"] && file.stages.map(\.name) == ["build", nil] && file.stages[1].platform == "linux/amd64")
        #expect(file.stages[0].steps.map(\.kind) == [.run(.init(words: .shell("x  y")))] && file.stages[0].steps[0].line == 6)
        #expect(file.stages[1].steps.map(\.line) == [9])
    }

    @Test func aDirectiveAfterAnythingElseIsAComment() throws {
        #expect(try DockerfileParser.parse("# a comment\n# escape=`\nFROM a", file: "D").escape == "\\")
    }

    static let words: [(String, String?)] = [
        ("$A", "one"), ("${A}", "one"), ("x${A}y", "xoney"), ("$AB", ""), ("$A$B", "one"), ("\\$A", "$A"), ("'$A'", "$A"), ("\"$A\"", "one"), ("\"\\$A\"", "$A"),
        ("\"a\\b\"", "a\\b"), ("a\\ b", "a b"), ("${N:-d}", "d"), ("${E:-d}", "d"), ("${E-d}", ""), ("${N-d}", "d"), ("${A:+x}", "x"), ("${N:+x}", ""), ("${E:+x}", ""),
        ("${E+x}", "x"), ("${N:-${A}}", "one"), ("${N:-'a b'}", "a b"), ("${A:?why}", "one"), ("${N:?why}", nil), ("${A", nil), ("'a", nil), ("\"a", nil), ("${A#o}", nil),
        ("${}", nil), ("100$", "100$"), ("$1", "$1"), ("", ""),
    ]

    @Test(arguments: words) func variablesInWords(text: String, expected: String?) {
        let values = ["A": "one", "E": ""]
        let found = try? WordExpansion(escape: "\\") { values[$0] }.expand(text)
        #expect(found == expected)
    }

    @Test func aHeredocKeepsItsQuotes() throws {
        let expansion = WordExpansion(escape: "\\") { $0 == "A" ? "one" : nil }
        #expect(try expansion.expand("it's \"$A\" \\$A \\n", keepsQuotes: true) == "it's \"one\" $A \\n")
    }

    static let patterns: [(String, String, Bool)] = [
        ("*.py", "a.py", true), ("*.py", "d/a.py", false), ("**/*.py", "d/e/a.py", true), ("**/*.py", "a.py", true), ("d/**", "d/e/f", true), ("d/**", "d", false),
        ("a?c", "abc", true), ("[a-c]x", "bx", true), ("[^a-c]x", "bx", false), ("a\\*", "a*", true), ("a*b*c", "aXbYbZc", true), ("*", "", false),
    ]

    @Test(arguments: patterns) func patternsOfPaths(pattern: String, path: String, matches: Bool) {
        #expect(PathPattern(pattern.split(separator: "/").map(String.init)).matches(path.split(separator: "/").map(String.init)) == matches)
    }

    @Test func ignoredFiles() {
        let ignored = IgnorePatterns("# comment\n\n.git\n*.log\n!keep.log\n/build/\n!build/out/x\n**/*.pyc\n")
        func hides(_ path: String) -> Bool { ignored.hides(path.split(separator: "/").map(String.init)) }
        #expect(hides(".git/config") && hides("a.log") && !hides("keep.log") && hides("build/y") && !hides("build/out/x") && hides("a/b/c.pyc") && !hides("sub/a.log"))
        #expect(!ignored.hidesAll(below: ["build"]) && !ignored.hidesAll(below: ["build", "out"]) && ignored.hidesAll(below: [".git"]))
    }
}

@Suite struct EnvironmentFileTests {
    private func parse(_ text: String, hasManyOwners: Bool = true) throws -> Dockerfile {
        try EnvironmentFile(file: "image.yaml", hasManyOwners: hasManyOwners).dockerfile(text)
    }

    @Test func becomesInstructionsInTheOrderOfHowOftenTheyChange() throws {
        let file = try parse(
            """
            command: [python3, /app/$x.py]
            from: python:3.11
            files: {a b: /app/, c: /d}
            workdir: /app
            env: {A: "$B 'q'"}
            pip: {requirements: r.txt, wheelhouse: wheels}
            user: 1000
            """)
        #expect(file.stages[0].base == "python:3.11")
        #expect(file.stages[0].steps.map { String($0.text.prefix { $0 != " " }) } == ["RUN", "ENV", "WORKDIR", "COPY", "COPY", "USER", "CMD"])
        guard case .run(let run) = file.stages[0].steps[0].kind, case .exec(let words) = run.words else { throw ImageError.invalidArgument("no RUN") }
        #expect(words.contains("--no-index") && run.mounts.count == 2)
        guard case .environment(let pairs) = file.stages[0].steps[1].kind else { throw ImageError.invalidArgument("no ENV") }
        // As written, whatever a Dockerfile would make of it.
        #expect(try WordExpansion(escape: "\\") { _ in "expanded" }.expand(pairs[0].value) == "$B 'q'")
        #expect(file.stages[0].steps.last?.kind == .command(.exec(["python3", "/app/$x.py"])))
        #expect(file.stages[0].steps.last?.line == 1)
    }

    static let refusals: [(String, Int, String)] = [
        ("a: b", 1, "unknown field \"a\""), ("from: x\npip: {version: 3}", 2, "unknown field \"pip.version\""), ("- a", 1, "expected a mapping"),
        ("apt: [x]", 1, "name a Debian image"), ("from: x\napt: [-o]", 2, "is no name of a package"), ("from: x\npip: [-r, y]", 2, "is an option"),
        ("from: x\nfiles: [a]", 2, "expected a mapping"), ("from: [x]", 1, "from: expected a string"), ("from: x\nenv: {A=B: c}", 2, "has an ="),
    ]

    @Test(arguments: refusals) func refusesByLine(text: String, line: Int, reason: String) {
        #expect { try parse(text) } throws: { "\($0)".hasPrefix("image.yaml:\(line): ") && "\($0)".contains(reason) }
    }

    @Test func packagesNeedSeveralOwners() {
        #expect { try parse("from: x\napt: [a]", hasManyOwners: false) } throws: { "\($0)".contains("/etc/subuid") }
    }
}
