import Catalogue
import KubeModel
import Registry

/// The variables by which a container finds Services, in Kubernetes' form and in that of Docker's links (upstream:
/// pkg/kubelet/envvars, pkg/kubelet/kubelet_pods.go).
enum ServiceEnvironment {
    /// The Services of the pod's namespace unless it wants no links, and always the API itself.
    static func visible(to pod: PodSpec, in catalogue: Catalogue) -> [StoredObject] {
        var services: [StoredObject] = []
        if pod.json["enableServiceLinks"].boolValue ?? true { services = catalogue.list(.services, namespace: pod.namespace).objects }
        if !services.contains(where: { $0.name == "kubernetes" }),
            let api = catalogue.get(ObjectKey(.services, namespace: "default", name: "kubernetes"))
        {
            services.append(api)
        }
        return services
    }

    static func variables(of services: [StoredObject]) -> [(name: String, value: String)] { services.flatMap(variables) }

    private static func variables(of service: StoredObject) -> [(name: String, value: String)] {
        let ports = service.spec["ports"].elements
        guard let address = service.spec["clusterIP"].stringValue, !address.isEmpty, address != "None", !ports.isEmpty else { return [] }
        let prefix = name(service.name)
        var variables = [("\(prefix)_SERVICE_HOST", address), ("\(prefix)_SERVICE_PORT", number(ports[0]))]
        for port in ports {
            if let portName = port["name"].stringValue, !portName.isEmpty { variables.append(("\(prefix)_SERVICE_PORT_\(name(portName))", number(port))) }
        }
        for (index, port) in ports.enumerated() {
            let protocolName = port["protocol"].stringValue ?? "TCP"
            let url = "\(protocolName.lowercased())://\(address):\(number(port))"
            if index == 0 { variables.append(("\(prefix)_PORT", url)) }
            let link = "\(prefix)_PORT_\(number(port))_\(protocolName.uppercased())"
            variables += [(link, url), ("\(link)_PROTO", protocolName.lowercased()), ("\(link)_PORT", number(port)), ("\(link)_ADDR", address)]
        }
        return variables
    }

    private static func number(_ port: JSON) -> String { String(port["port"].intValue ?? 0) }

    private static func name(_ text: String) -> String { text.uppercased().replacing("-", with: "_") }
}

/// The names of the API in pods' `/etc/hosts`.
enum APIServiceNames {
    static func entry(_ address: String) -> (ip: String, hostnames: [String]) {
        (address, ["kubernetes.default.svc.cluster.local", "kubernetes.default.svc", "kubernetes.default", "kubernetes"])
    }
}
