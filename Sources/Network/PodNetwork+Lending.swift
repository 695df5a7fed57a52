import CSandbox
import Dispatch

#if canImport(Glibc)
import Glibc
#endif

extension PodNetwork {
    /// A network as a pod has it, for a process of this machine that is no pod. It comes back when that process has ended,
    /// however it ends.
    /// - Throws: `system` where there is no such process, and what ``take()`` throws.
    public func lend(to pid: Int32) async throws(NetworkError) -> PodEndpoint {
        let descriptor = ksb_pidfd_open(pid)
        guard descriptor >= 0 else { throw .system(descriptor, "looking for process \(pid)") }
        let endpoint: PodEndpoint
        do throws(NetworkError) {
            endpoint = try await take()
        } catch {
            close(descriptor)
            throw error
        }
        let end = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: .global())
        end.setEventHandler { [weak self] in
            self?.release(endpoint)
            end.cancel()
        }
        end.setCancelHandler { close(descriptor) }
        end.resume()
        return endpoint
    }
}
