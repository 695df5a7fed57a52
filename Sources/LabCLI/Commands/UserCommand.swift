import Access
import ArgumentParser
import KubeModel
import KubeServer
import LabDaemon

struct UserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user",
        abstract: "Give people tokens of their own for this lab.",
        discussion: """
            A user has no rights until a RoleBinding gives them some. What is changed here counts at once; labd need not be
            restarted.

            Example:
              lab user add ann --group teachers
              kubectl create rolebinding ann -n team-a --clusterrole=kubeflow-edit --user=ann
            """,
        subcommands: [List.self, Add.self, Remove.self], defaultSubcommand: List.self)

    private static func text() throws -> String {
        String(decoding: try SmallFile.readIfPresent(LabContext.current.paths.users) ?? [], as: UTF8.self)
    }

    private static func write(_ text: String) throws {
        let paths = LabContext.current.paths
        try SmallFile.makeDirectories(paths.state, mode: 0o700)
        try SmallFile.write(text, to: paths.users, mode: 0o600)
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the users.",
            discussion: """
                Example:
                  lab user list
                """)

        @Option(name: [.short, .long], help: ArgumentHelp("json", valueName: "format"))
        var output: String?

        func run() throws {
            let users = UsersFileEditor.users(in: try UserCommand.text())
            func groups(_ user: User) -> [String] { user.groups.filter { $0 != User.authenticated } }
            if let output {
                guard output == "json" else { throw ValidationError("-o: expected json, found '\(output)'") }
                return Output.line(
                    PrettyJSON.text(
                        .array(
                            users.map { user in
                                ["name": .string(user.name), "uid": .string(user.uid), "groups": .array(groups(user).map(JSON.string))]
                            })))
            }
            let rows = users.map { [$0.name, $0.uid, groups($0).joined(separator: ",")] }
            for line in TextTable(header: ["NAME", "UID", "GROUPS"], rows: rows).lines() { Output.line(line) }
        }
    }

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a user, or give one a new token.",
            discussion: """
                The token is shown once: the lab keeps its bcrypt hash only. A user that is there already gets a new token, and
                the old one is no longer good.

                Example:
                  lab user add ann --group teachers --group staff
                """)

        @Argument(help: "The user's name.")
        var name: String
        @Option(name: .customLong("group"), help: ArgumentHelp("A group of the user; may be given several times.", valueName: "group"))
        var groups: [String] = []
        @Option(help: "An identifier that outlives the name.")
        var uid = ""

        func run() throws {
            do {
                let made = try UsersFileEditor.adding(name, uid: uid, groups: groups, to: try UserCommand.text())
                try UserCommand.write(made.text)
                Output.line(made.token)
                Output.note("This is \(name)'s token, shown only now: kubectl config set-credentials \(name) --token=…")
            } catch let problem as UsersFileEditor.Problem {
                throw CommandError(problem.description)
            }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a user; the token is no longer good.",
            discussion: """
                Bindings that name the user stay.

                Example:
                  lab user remove ann
                """)

        @Argument(help: "The user's name.")
        var name: String

        func run() throws {
            guard let rest = UsersFileEditor.removing(name, from: try UserCommand.text()) else {
                throw CommandError("there is no user '\(name)': 'lab user list' shows all")
            }
            try UserCommand.write(rest)
        }
    }
}
