import CSandbox
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// Makes and removes the kernel's side of pod networks. Not to be called from two threads at once.
struct PodNetworkMaker: Sendable {
    private let directory: String
    private let mtu: Int
    private let netlink: Descriptor

    /// Prepares the network namespace of the process as a router.
    init(_ configuration: PodNetworkConfiguration) throws(NetworkError) {
        directory = configuration.directory
        mtu = configuration.mtu
        var path = ""
        for part in directory.split(separator: "/", omittingEmptySubsequences: true) {
            path += "/" + part
            guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .system(errno, "creating \(path)") }
        }
        let fd = kd_nl_open()
        guard fd >= 0 else { throw .system(fd, "opening netlink") }
        netlink = Descriptor(fd)
        try check(kd_router_prepare(fd, PodNetwork.gateway.bits), "the lab's network namespace")
    }

    func make(_ address: IPv4Address) throws(NetworkError) -> PodEndpoint {
        let endpoint = endpoint(address)
        let fault = endpoint.namespacePath.withCString { pin in
            endpoint.interface.withCString { name in
                var spec = kd_pod_network(
                    pin: pin, interface: name, address: address.bits, gateway: PodNetwork.gateway.bits, mtu: Int32(mtu))
                return kd_pod_network_make(netlink.number, &spec)
            }
        }
        try check(fault, "the network of \(address)")
        return endpoint
    }

    func remove(_ endpoint: PodEndpoint) throws(NetworkError) {
        try check(kd_pod_network_remove(netlink.number, endpoint.namespacePath, endpoint.interface), "\(endpoint.address)")
    }

    /// Whether something of an earlier network still has this address.
    func isStale(_ address: IPv4Address) -> Bool {
        let endpoint = endpoint(address)
        return kd_nl_ifindex(netlink.number, endpoint.interface) > 0 || access(endpoint.namespacePath, F_OK) == 0
    }

    /// A network may serve another pod if its link is there and no socket is left in it.
    func isReusable(_ endpoint: PodEndpoint) -> Bool {
        kd_nl_ifindex(netlink.number, endpoint.interface) > 0 && kd_pod_network_is_idle(endpoint.namespacePath) == 1
    }

    /// The networks that an earlier labd left. Interfaces and files that are not a whole network are removed.
    func leftovers() throws(NetworkError) -> [PodEndpoint] {
        var found: [PodEndpoint] = []
        for name in try entries() {
            guard let address = IPv4Address(name) else {
                unlink(directory + "/" + name)
                continue
            }
            let endpoint = endpoint(address)
            if kd_is_pinned(endpoint.namespacePath) == 1, kd_nl_ifindex(netlink.number, endpoint.interface) > 0 {
                found.append(endpoint)
            } else {
                try remove(endpoint)
            }
        }
        let whole = Set(found.map(\.interface))
        for interface in try interfaces() where !whole.contains(interface) {
            let rc = kd_nl_link_delete(netlink.number, interface)
            guard rc == 0 || rc == -ENODEV else { throw .system(rc, "deleting the leftover interface \(interface)") }
        }
        return found
    }

    private func endpoint(_ address: IPv4Address) -> PodEndpoint {
        let digits = String(address.bits, radix: 16)
        let name = Firewall.podPrefix + String(repeating: "0", count: 8 - digits.count) + digits
        return PodEndpoint(address: address, namespacePath: "\(directory)/\(address)", interface: name)
    }

    private func entries() throws(NetworkError) -> [String] {
        guard let stream = opendir(directory) else { throw .system(errno, "reading \(directory)") }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    private func interfaces() throws(NetworkError) -> [String] {
        // 16 bytes a name, so room for a full /16 of pods.
        var buffer = [CChar](repeating: 0, count: 1 << 20)
        let used = kd_nl_interfaces(netlink.number, Firewall.podPrefix, &buffer, buffer.count)
        guard used >= 0 else { throw .system(Int32(used), "listing the interfaces of pods") }
        return buffer[0..<used].split(separator: 0).map { name in String(decoding: name.map(UInt8.init(bitPattern:)), as: UTF8.self) }
    }

    private func check(_ fault: kd_fault, _ what: String) throws(NetworkError) {
        if fault.error != 0 { throw .system(fault.error, "\(what): \(String(cString: fault.doing))") }
    }
}

/// Closes its descriptor when it is not used any more.
final class Descriptor: Sendable {
    let number: Int32
    init(_ number: Int32) { self.number = number }
    deinit { close(number) }
}
