public import Catalogue
import KubeModel
public import LabNetwork
import Registry

/// The zone `cluster.local` and the names of its addresses, as Kubernetes' DNS specification 1.1 has them and CoreDNS serves them
/// where kubeadm sets it up (`pods insecure`). Every answer is what the catalogue holds at that moment.
public struct ClusterNames: Sendable {
    /// Seconds that clients may remember an answer (CoreDNS's own default).
    static let ttl: UInt32 = 5
    private let catalogue: Catalogue
    private let zone: [String]
    private let origin: DNSName
    /// The addresses that belong to the lab: nobody else is asked about their names.
    private let ranges: [IPv4Range]
    private let server: IPv4Address

    /// - Parameters:
    ///   - domain: e.g. `cluster.local`; nil comes back where it is no domain name.
    ///   - server: where this zone is served, for its NS record.
    ///   - ranges: those of Services and of pods.
    public init?(catalogue: Catalogue, domain: String, server: IPv4Address, ranges: [IPv4Range]) {
        guard let origin = DNSName(domain), !origin.labels.isEmpty else { return nil }
        self.catalogue = catalogue
        self.origin = origin
        self.server = server
        self.ranges = ranges
        zone = origin.words
    }

    /// What there is for a question.
    public func lookup(_ question: DNSQuestion) -> DNSLookup {
        let words = question.name.words
        if words.suffix(zone.count) == zone[...] { return inZone(Array(words.dropLast(zone.count)), question) }
        if let address = IPv4Address(reverse: question.name), ranges.contains(where: { $0.contains(address) }) {
            return found(names(of: address).map { .name(.ptr, $0) }, question)
        }
        return .elsewhere
    }

    // MARK: Below cluster.local

    private func inZone(_ words: [String], _ question: DNSQuestion) -> DNSLookup {
        switch words.count {
        case 0: return apex(question)
        case 1 where words[0] == "dns-version": return found([.text([Array("1.1.0".utf8)])], question)
        case 1 where words[0] == "svc" || words[0] == "pod": return .nothing(authority)
        case 2 where words == ["ns", "dns"]: return found([.a(server)], question)
        case 1 where words[0] == "dns": return .nothing(authority)
        default: break
        }
        guard words.count >= 2, let branch = words.last, branch == "svc" || branch == "pod" else { return .noSuchName(authority) }
        let namespace = words[words.count - 2]
        guard let space = catalogue.get(ObjectKey(.namespaces, name: namespace)), !space.name.isEmpty else { return .noSuchName(authority) }
        if words.count == 2 { return .nothing(authority) }
        if branch == "pod" { return words.count == 3 ? podAddress(words[0], question) : .noSuchName(authority) }
        return service(Array(words.dropLast(2)), namespace, question)
    }

    private func apex(_ question: DNSQuestion) -> DNSLookup {
        guard let name = DNSName(labels: [Array("ns".utf8), Array("dns".utf8)] + origin.labels) else { return .nothing(authority) }
        switch question.type {
        case .soa: return .records([authority])
        case .ns:
            return .records(
                [DNSRecord(name: question.name, ttl: Self.ttl, data: .name(.ns, name))],
                additional: [DNSRecord(name: name, ttl: Self.ttl, data: .a(server))])
        default: return .nothing(authority)
        }
    }

    /// `10-88-0-5.team.pod.cluster.local`, whether or not such a pod is there, as with kubeadm's CoreDNS.
    private func podAddress(_ word: String, _ question: DNSQuestion) -> DNSLookup {
        guard let address = IPv4Address(word.replacing("-", with: ".")) else { return .noSuchName(authority) }
        return found([.a(address)], question)
    }

    /// - Parameter words: `[service]`, `[endpoint, service]`, `[_port, _protocol, service]` or what goes with SRV in between.
    private func service(_ words: [String], _ namespace: String, _ question: DNSQuestion) -> DNSLookup {
        guard let name = words.last, let service = catalogue.get(ObjectKey(.services, namespace: namespace, name: name)), words.count <= 3 else {
            return .noSuchName(authority)
        }
        if service.spec["type"].stringValue == "ExternalName" { return words.count == 1 ? external(service, question) : .noSuchName(authority) }
        let isHeadless = service.spec["clusterIP"].stringValue == "None"
        if words.count == 1, !isHeadless, question.type != .srv {
            guard let address = service.spec["clusterIP"].stringValue.flatMap({ IPv4Address($0) }) else { return .nothing(authority) }
            return found([.a(address)], question)
        }
        if words.count == 2, words[0].hasPrefix("_") { return .nothing(authority) }
        let named: (port: String, transport: String)? = words.count == 3 ? (String(words[0].dropFirst()), String(words[1].dropFirst())) : nil
        if words.count == 3, !words[0].hasPrefix("_") || !words[1].hasPrefix("_") { return .noSuchName(authority) }
        if !isHeadless {
            // Of one that has an address only the Service itself has a name; its endpoints too, but by their own names.
            if words.count == 2 { return endpoints(of: service, named: words[0], question) }
            return clusterSRV(service, named, question)
        }
        switch words.count {
        case 2: return endpoints(of: service, named: words[0], question)
        case 1 where question.type != .srv: return endpoints(of: service, named: nil, question)
        default: return headlessSRV(service, named, question)
        }
    }

    private func external(_ service: StoredObject, _ question: DNSQuestion) -> DNSLookup {
        guard let target = service.spec["externalName"].stringValue.flatMap({ DNSName($0) }), !target.labels.isEmpty else { return .noSuchName(authority) }
        let alias = DNSRecord(name: question.name, ttl: Self.ttl, data: .name(.cname, target))
        if question.type == .cname { return .records([alias]) }
        // One that leads back into the zone is followed here, once: two that lead to each other must not keep anybody busy.
        guard target.words.suffix(zone.count) == zone[...] else { return .alias(alias, of: target) }
        if let next = catalogue.get(ObjectKey(.services, namespace: target.words.dropFirst().first ?? "", name: target.words.first ?? "")),
            next.spec["type"].stringValue == "ExternalName"
        {
            return .records([alias])
        }
        if case .records(let records, let additional) = inZone(Array(target.words.dropLast(zone.count)), DNSQuestion(name: target, type: question.type)) {
            return .records([alias] + records, additional: additional)
        }
        return .records([alias])
    }

    private func ready(_ service: StoredObject) -> [ServiceEndpoint] {
        ServiceEndpoints.all(of: service.key, in: catalogue).filter(\.isReady)
    }

    private func endpoints(of service: StoredObject, named label: String?, _ question: DNSQuestion) -> DNSLookup {
        var addresses: [IPv4Address] = []
        for endpoint in ready(service) where label == nil || endpoint.label == label {
            if addresses.last != endpoint.address { addresses.append(endpoint.address) }
        }
        // Nobody always gets the same one first.
        return found(addresses.shuffled().map { .a($0) }, question)
    }

    private func clusterSRV(_ service: StoredObject, _ named: (port: String, transport: String)?, _ question: DNSQuestion) -> DNSLookup {
        guard let target = DNSName(labels: Self.labels(service.name, service.namespace, "svc") + origin.labels),
            let address = service.spec["clusterIP"].stringValue.flatMap({ IPv4Address($0) })
        else { return .noSuchName(authority) }
        let ports = service.spec["ports"].elements.compactMap { ServicePort($0) }.filter { Self.isMeant($0, named) }
        let records = ports.map { DNSData.srv(priority: 0, weight: 100, port: UInt16($0.number), target: target) }
        return found(records, question, additional: records.isEmpty ? [] : [DNSRecord(name: target, ttl: Self.ttl, data: .a(address))])
    }

    private func headlessSRV(_ service: StoredObject, _ named: (port: String, transport: String)?, _ question: DNSQuestion) -> DNSLookup {
        let endpoints = ready(service)
        var records: [DNSData] = []
        var additional: [DNSRecord] = []
        let weight = UInt16(max(1, 100 / max(1, endpoints.count)))
        for endpoint in endpoints {
            guard let target = DNSName(labels: Self.labels(endpoint.label, service.name, service.namespace, "svc") + origin.labels) else { continue }
            let ports = endpoint.ports.filter { Self.isMeant($0, named) }
            records += ports.map { .srv(priority: 0, weight: weight, port: UInt16($0.number), target: target) }
            if !ports.isEmpty { additional.append(DNSRecord(name: target, ttl: Self.ttl, data: .a(endpoint.address))) }
        }
        return found(records, question, additional: additional)
    }

    private static func isMeant(_ port: ServicePort, _ named: (port: String, transport: String)?) -> Bool {
        guard let named else { return true }
        return port.name == named.port && port.transport == named.transport && !port.name.isEmpty
    }

    // MARK: Addresses

    /// A Service's name of its address; else the names of the endpoints that have the address and a hostname, or of all that have it.
    private func names(of address: IPv4Address) -> [DNSName] {
        let text = address.description
        if let service = catalogue.list(.services).objects.first(where: { $0.spec["clusterIP"].stringValue == text }) {
            return [DNSName(labels: Self.labels(service.name, service.namespace, "svc") + origin.labels)].compactMap { $0 }
        }
        var names: [DNSName] = []
        for slice in catalogue.list(.endpointSlices).objects {
            guard let service = slice.labels[ServiceEndpoints.serviceLabel] else { continue }
            for endpoint in ServiceEndpoints.of([slice]) where endpoint.address == address && endpoint.isReady {
                if let name = DNSName(labels: Self.labels(endpoint.label, service, slice.namespace, "svc") + origin.labels), !names.contains(name) {
                    names.append(name)
                }
            }
        }
        return names
    }

    // MARK: Answers

    private static func labels(_ words: String...) -> [[UInt8]] { words.map { Array($0.utf8) } }

    /// Records of a name that is there: an answer where some are of the kind asked for. None at all means that there is no such name.
    private func found(_ data: [DNSData], _ question: DNSQuestion, additional: [DNSRecord] = []) -> DNSLookup {
        guard !data.isEmpty else { return .noSuchName(authority) }
        let wanted = data.filter { question.type == .any || $0.type == question.type }
        guard !wanted.isEmpty else { return .nothing(authority) }
        return .records(wanted.map { DNSRecord(name: question.name, ttl: Self.ttl, data: $0) }, additional: additional)
    }

    /// The start of authority; its last number says for how long a client may remember that a name is not there.
    private var authority: DNSRecord {
        let server = DNSName(labels: Self.labels("ns", "dns") + origin.labels) ?? origin
        let mailbox = DNSName(labels: Self.labels("hostmaster") + origin.labels) ?? origin
        return DNSRecord(
            name: origin, ttl: Self.ttl,
            data: .soa(
                server: server, mailbox: mailbox, serial: UInt32(truncatingIfNeeded: catalogue.revision), refresh: 7200, retry: 1800, expire: 86400,
                minimum: Self.ttl))
    }
}
