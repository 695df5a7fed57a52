import KubeModel

/// All trials of an Experiment in parallel coordinates, as one HTML file that needs nothing else: no network, no library.
struct ExperimentPicture {
    private let data: JSON
    private let title: String

    init(_ progress: ExperimentProgress, now: Timestamp) {
        let best = progress.best?.name
        let experiment = progress.experiment
        let trials = progress.ranked.map { trial -> JSON in
            var entry: JSON = [
                "name": .string(trial.name), "status": .string(trial.status.rawValue), "best": JSON(trial.name == best),
                "parameters": JSON(strings: trial.parameters.map { (key: $0.name, value: $0.value) }),
                "metrics": JSON(strings: trial.metrics.map { (key: $0.key, value: $0.value) }.sorted { $0.key < $1.key }),
            ]
            if let time = trial.duration(now: now) { entry["time"] = .string(ClockText.short(time)) }
            return entry
        }
        title = progress.name
        data = [
            "name": .string(progress.name), "namespace": experiment["metadata"]["namespace"],
            "algorithm": experiment["spec"]["algorithm"]["algorithmName"], "objective": .string(progress.objective.metric),
            "maximized": JSON(progress.objective.isMaximized), "goal": progress.objective.goal.map(JSON.double) ?? .null,
            "state": .string(progress.completion.state.rawValue), "message": .string(progress.completion.message),
            "elapsed": .string(progress.elapsed(now: now).map(ClockText.short) ?? ""), "date": .string(now.description),
            "metrics": .array(progress.metricNames.map(JSON.string)), "parameters": .array(Self.axes(experiment)), "trials": .array(trials),
        ]
    }

    /// The parameters' own ranges, so that what was not tried can be seen too.
    private static func axes(_ experiment: JSON) -> [JSON] {
        experiment["spec"]["parameters"].elements.map { parameter in
            let space = parameter["feasibleSpace"]
            return [
                "name": parameter["name"], "type": parameter["parameterType"], "min": space["min"], "max": space["max"],
                "list": space["list"],
                "log": JSON(space["distribution"].stringValue?.hasPrefix("log") ?? false),
            ]
        }
    }

    var html: String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
        <title>\(Self.escaped(title)) – trials</title>
        <style>
        \(PictureStyle.css)
        </style>
        </head>
        <body>
        \(PictureStyle.body)
        <script type="application/json" id="data">\(Self.embedded(data))</script>
        <script>
        \(PictureScript.text)
        </script>
        </body>
        </html>

        """
    }

    /// Text for HTML.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// JSON that cannot end the script element it stands in, whatever a trial is called or printed.
    static func embedded(_ value: JSON) -> String {
        var result = ""
        for scalar in value.text.unicodeScalars {
            switch scalar {
            case "<", ">", "&", "\u{2028}", "\u{2029}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
