import Catalogue
import KubeModel

extension PodWorker {
    /// The pod's devices, now its own. Where they are not to be had the pod waits, and tells so once.
    func takeDevices(_ spec: PodSpec) throws(StartProblem) -> DeviceAssignment {
        do {
            var assignment = try context.devices.take(for: spec, uid: uid)
            assignment.annotated = DeviceAnnotations.devices(of: spec.object.value)
            return assignment
        } catch {
            if toldProblem != error.description {
                toldProblem = error.description
                context.client.event(spec.object, type: "Warning", reason: "UnexpectedAdmissionError", message: error.description)
            }
            // The scheduler counts them, so this is a pod that was bound by other means, or one whose predecessor still ends.
            throw StartProblem(retryAfter: .seconds(1))
        }
    }

    /// What a container is given; a device that has gone since the pod was given it keeps the container waiting.
    func devices(of container: ContainerSpec, _ spec: PodSpec) throws(StartProblem) -> ContainerDevices {
        do {
            return try ContainerDevices(
                assigned: record?.devices.byContainer[container.name] ?? [], annotated: record?.devices.annotated ?? [],
                inventory: context.devices.inventory)
        } catch {
            tell(spec, container, "CreateContainerError", error.description, event: "Failed", prefix: "Error: ")
            throw StartProblem(retryAfter: .seconds(30))
        }
    }

    func deviceRefusal(_ spec: PodSpec) -> PodPolicy.Refusal? {
        DeviceAnnotations.refusal(of: spec.object.value, namespace: context.client.get(ObjectKey(.namespaces, name: spec.namespace))?.value)
    }
}
