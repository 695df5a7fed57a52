import ArgumentParser

struct SQLCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sql",
        abstract: "Ask the catalogue with SQL, read-only.",
        discussion: """
            Works whether or not the lab runs. Views: experiments, trials (with one column for each parameter and metric),
            metrics, pods, workflows, steps; and trial_parameters, trial_metrics as rows.

            Example:
              lab sql "select name, status, lr, \\"Validation-accuracy\\" from trials order by 4 desc limit 3"
              lab sql "select * from steps" -o csv
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case table, csv, json }

    @Argument(help: "One statement.")
    var query: String
    @Option(name: [.short, .long], help: "table, csv or json")
    var output: Format = .table

    func run() throws {
        let context = LabContext.current
        let result = try CatalogueReader(path: context.paths.catalogue, command: context.command).query(query)
        switch output {
        case .table: for line in result.table { Output.line(line) }
        case .csv: Output.text(result.csv)
        case .json: Output.line(result.json)
        }
    }
}
