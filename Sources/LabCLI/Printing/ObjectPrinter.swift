import KubeModel

/// Prints what `lab get` asked for.
struct ObjectPrinter {
    let client: APIClient
    let format: OutputFormat?
    let isHeaderHidden: Bool
    /// Several kinds: names carry theirs.
    let isTyped: Bool
    var showsNamespace = false

    private var isTable: Bool {
        switch format {
        case nil, .wide: true
        default: false
        }
    }
    private var isWide: Bool { if case .wide = format { true } else { false } }

    func print(_ requests: [GetRequest]) async throws {
        if isTable { return try await printTables(requests) }
        var objects: [JSON] = []
        var single: JSON?
        for request in requests {
            let answer = try await client.request(.GET, request.path, query: request.parameters)
            if request.name != nil {
                objects.append(answer)
                if requests.count == 1 { single = answer }
            } else {
                objects += answer["items"].elements.map { request.query.typed($0) }
            }
        }
        if case .name = format { return objects.forEach { Output.line(Self.name($0, requests)) } }
        let whole = single ?? ["apiVersion": "v1", "kind": "List", "metadata": ["resourceVersion": ""], "items": .array(objects)]
        if let text = try format?.render(whole) { Output.text(text) }
    }

    private static func name(_ object: JSON, _ requests: [GetRequest]) -> String {
        let kind = object["kind"].stringValue ?? ""
        let resource = requests.first { $0.resource.kind == kind }?.resource
        return "\(resource?.displayName ?? kind.lowercased())/\(object["metadata"]["name"].stringValue ?? "")"
    }

    // MARK: Tables

    private func printTables(_ requests: [GetRequest]) async throws {
        var failures: [CommandError] = []
        // Objects of one kind named one by one stand in one table.
        var groups: [(resource: APIResource, tables: [ServerTable])] = []
        for request in requests {
            do {
                let json = try await client.request(.GET, request.path, query: request.parameters, accept: ServerTable.mediaType)
                let table = table(json, request)
                if let last = groups.indices.last, groups[last].resource == request.resource {
                    groups[last].tables.append(table)
                } else {
                    groups.append((request.resource, [table]))
                }
            } catch let error as CommandError where error.reason == "NotFound" {
                failures.append(error)
            }
        }
        var isFirst = true
        var isEmpty = failures.isEmpty
        for group in groups {
            guard var merged = group.tables.first?.table() else { continue }
            merged.rows = group.tables.flatMap { $0.table().rows }
            if merged.rows.isEmpty { continue }
            isEmpty = false
            if !isFirst { Output.line() }
            isFirst = false
            Output.text(merged.lines(withHeader: !isHeaderHidden).joined(separator: "\n") + "\n")
        }
        if isEmpty {
            let namespace = requests.compactMap(\.query.namespace).first
            Output.note("No resources found" + (namespace.map { " in \($0) namespace." } ?? "."))
        }
        for failure in failures.dropLast() { Output.problem(failure.message) }
        if let last = failures.last { throw last }
    }

    private func table(_ json: JSON, _ request: GetRequest) -> ServerTable {
        ServerTable(
            json: json, isWide: isWide, showsNamespace: showsNamespace && request.resource.isNamespaced,
            prefix: isTyped ? request.resource.displayName + "/" : "")
    }

    // MARK: Watching

    /// Prints the present state and each change from then on.
    func watch(_ request: GetRequest) async throws {
        if isTable { return try await watchTable(request) }
        try await client.follow(request.query) { event in
            switch event {
            case .all(let objects): for object in objects { try show(object, request) }
            case .changed(let object): try show(object, request)
            case .deleted, .away: break
            }
            return true
        }
    }

    private func show(_ object: JSON, _ request: GetRequest) throws {
        if case .name = format {
            Output.line(Self.name(object, [request]))
        } else if let text = try format?.render(object) {
            if case .yaml = format { Output.line("---") }
            Output.text(text)
        }
    }

    /// The server draws the rows of a watch too, so each looks as it does in the list.
    private func watchTable(_ request: GetRequest) async throws {
        let path = request.resource.path(namespace: request.query.namespace)
        let list = try await client.request(.GET, path, query: request.query.parameters, accept: ServerTable.mediaType)
        let first = table(list, request)
        let definitions = list["columnDefinitions"].elements
        let shown = first.table()
        // Room for the states that are yet to come.
        let widths = shown.widths(withHeader: true).map { max($0, 8) }
        if !shown.rows.isEmpty { Output.text(shown.lines(withHeader: !isHeaderHidden, widths: widths).joined(separator: "\n") + "\n") }
        var needsHeader = shown.rows.isEmpty && !isHeaderHidden
        let query =
            request.query.parameters + [
                ("watch", "true"), ("resourceVersion", list["metadata"]["resourceVersion"].stringValue ?? "0"),
            ]
        var lines = LineReader(try await client.stream(path, query: query, accept: ServerTable.mediaType))
        while let line = try await lines.next() {
            guard let event = try? JSONParser.parse(line), event["type"].stringValue != "BOOKMARK" else { continue }
            if event["type"].stringValue == "ERROR" { throw CommandError(event["object"]["message"].stringValue ?? "the watch ended") }
            let rows = table(event["object"], request).table(definitions: definitions)
            Output.text(rows.lines(withHeader: needsHeader, widths: widths).joined(separator: "\n") + "\n")
            needsHeader = false
        }
    }
}
