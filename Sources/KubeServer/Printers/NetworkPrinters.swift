import KubeModel

extension Printers {
    static let network: [String: Printer] = [
        "serviceClusterIP": { service, _ in
            none(service["spec"]["clusterIPs"][0].stringValue ?? service["spec"]["clusterIP"].stringValue)
        },
        "serviceExternalIP": { service, _ in externalAddress(of: service) },
        "servicePorts": { service, _ in
            let ports = service["spec"]["ports"].elements.map { port in
                let node = port["nodePort"].intValue.flatMap { $0 > 0 ? ":\($0)" : nil } ?? ""
                return "\(port["port"].intValue ?? 0)\(node)/\(port["protocol"].stringValue ?? "TCP")"
            }
            return ports.isEmpty ? "<none>" : joined(ports)
        },
        "endpointsAddresses": { object, _ in
            let all = object["subsets"].elements.flatMap { subset -> [String] in
                let addresses = subset["addresses"].elements.compactMap { $0["ip"].stringValue }
                let ports = subset["ports"].elements.compactMap { $0["port"].intValue }
                if ports.isEmpty { return addresses }
                return ports.flatMap { port in addresses.map { $0.contains(":") ? "[\($0)]:\(port)" : "\($0):\(port)" } }
            }
            return shortened(all)
        },
        "slicePorts": { object, _ in
            let ports = object["ports"].elements.map { $0["port"].intValue.map(String.init) ?? $0["name"].stringValue ?? "*" }
            return ports.isEmpty ? "<unset>" : shortened(ports)
        },
        "sliceEndpoints": { object, _ in
            let addresses = object["endpoints"].elements.flatMap { $0["addresses"].elements.compactMap(\.stringValue) }
            return addresses.isEmpty ? "<unset>" : shortened(addresses)
        },
        "ingressClass": { object, _ in none(object["spec"]["ingressClassName"].stringValue) },
        "ingressHosts": { object, _ in
            let hosts = object["spec"]["rules"].elements.compactMap { $0["host"].stringValue }.filter { !$0.isEmpty }
            return hosts.isEmpty ? "*" : shortened(hosts)
        },
        "ingressAddress": { object, _ in joined(balancers(object)) },
        "ingressPorts": { object, _ in object["spec"]["tls"].elements.isEmpty ? "80" : "80, 443" },
        "ingressClassParameters": { object, _ in
            let parameters = object["spec"]["parameters"]
            guard let name = parameters["name"].stringValue else { return "<none>" }
            let group = parameters["apiGroup"].stringValue.map { ".\($0)" } ?? ""
            return .string("\(parameters["kind"].stringValue ?? "")\(group)/\(name)")
        },
        "networkPolicySelector": { object, _ in selector(object["spec"]["podSelector"]) },
    ]

    private static func balancers(_ object: JSON) -> [String] {
        object["status"]["loadBalancer"]["ingress"].elements.compactMap { $0["ip"].stringValue ?? $0["hostname"].stringValue }.sorted()
    }

    private static func externalAddress(of service: JSON) -> JSON {
        let spec = service["spec"]
        let external = spec["externalIPs"].elements.compactMap(\.stringValue)
        switch spec["type"].stringValue {
        case "ExternalName": return .string(spec["externalName"].stringValue ?? "")
        case "LoadBalancer":
            let all = balancers(service) + external
            return all.isEmpty ? "<pending>" : joined(all)
        default: return external.isEmpty ? "<none>" : joined(external)
        }
    }

    /// The first three, and how many more there are.
    private static func shortened(_ texts: [String]) -> JSON {
        if texts.isEmpty { return "<none>" }
        let shown = texts.prefix(3).joined(separator: ",")
        return .string(texts.count > 3 ? "\(shown) + \(texts.count - 3) more..." : shown)
    }
}
