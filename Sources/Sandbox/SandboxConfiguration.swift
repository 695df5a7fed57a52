/// What the runtime needs to know of the machine and the lab.
public struct SandboxConfiguration: Sendable {
    /// The binary `lab-shim`. It is copied into sealed memory when the runtime starts: later changes to the file do not matter.
    public var shimPath: String
    /// Names this lab's control groups, `kindling-<instance>`; two labs on one machine differ in it.
    public var instance: String
    /// Supervisors that wait ready-made for the next container, so that a start does not pay for them. Each is a pair of
    /// sleeping processes of about 200 KiB. Zero starts every one when it is needed.
    public var warmSupervisors: Int
    /// Use control groups where the daemon may write them.
    public var useControlGroups: Bool

    public init(shimPath: String, instance: String, warmSupervisors: Int = 4, useControlGroups: Bool = true) {
        self.shimPath = shimPath
        self.instance = instance
        self.warmSupervisors = warmSupervisors
        self.useControlGroups = useControlGroups
    }
}
