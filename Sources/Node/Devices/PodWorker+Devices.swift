import Catalogue
import KubeModel

extension PodWorker {
    /// The pod's devices, now its own. Where they are not to be had the pod waits for another that gives some back.
    func takeDevices(_ spec: PodSpec) throws(StartProblem) -> DeviceAssignment {
        do {
            return try assign(spec)
        } catch {
            // The scheduler gives a pod's share away when the pod has ended, a moment before its devices come back: that is told to
            // nobody. What came back before this pod was noted is seen by asking again.
            context.devices.wait(key)
            if let assignment = try? assign(spec) { return assignment }
            if error.wanted > error.all, toldProblem != error.description {
                toldProblem = error.description
                context.client.event(spec.object, type: "Warning", reason: "UnexpectedAdmissionError", message: error.description)
            }
            throw StartProblem(retryAfter: .seconds(30))
        }
    }

    private func assign(_ spec: PodSpec) throws(DevicePool.Shortage) -> DeviceAssignment {
        var assignment = try context.devices.take(for: spec, uid: uid)
        assignment.annotated = DeviceAnnotations.devices(of: spec.object.value)
        return assignment
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
