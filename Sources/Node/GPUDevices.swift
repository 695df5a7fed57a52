import KubeModel
import Synchronization

/// The GPUs that one container was given.
struct GPUDevices: Sendable, Equatable {
    var indices: [Int] = []

    /// The devices themselves and those that all CUDA programs open.
    var paths: [String] {
        if indices.isEmpty { return [] }
        let shared = ["/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"].filter { Files.status($0) != nil }
        return indices.map { "/dev/nvidia\($0)" } + shared
    }
}

/// Which GPU belongs to which pod. A GPU is never shared.
final class GPUPool: Sendable {
    /// The numbers of this machine's GPUs.
    let all: [Int]
    private let owners: Mutex<[Int: String]>

    init(all: [Int]) {
        self.all = all
        owners = Mutex([:])
    }

    /// GPUs have device files `/dev/nvidia0`, `/dev/nvidia1`, …
    static func found() -> [Int] {
        Files.list("/dev").compactMap { $0.hasPrefix("nvidia") ? Int($0.dropFirst(6)) : nil }.sorted()
    }

    /// So many free GPUs, now the pod's; `nil` where there are not enough.
    func take(_ count: Int, for uid: String) -> [Int]? {
        if count == 0 { return [] }
        return owners.withLock { owners in
            let free = all.filter { owners[$0] == nil }.prefix(count)
            guard free.count == count else { return nil }
            for index in free { owners[index] = uid }
            return Array(free)
        }
    }

    /// Notes what a pod was given by an earlier daemon.
    func adopt(_ indices: [Int], for uid: String) {
        owners.withLock { owners in for index in indices { owners[index] = uid } }
    }

    func release(_ uid: String) {
        owners.withLock { owners in for (index, owner) in owners where owner == uid { owners[index] = nil } }
    }
}
