public import ControllerRuntime
public import Registry

/// The reconcilers of this module.
public func notebookReconcilers(registry: Registry, exposer: any NotebookExposer) -> [any Reconciler] {
    [NotebookReconciler(client: Client(registry: registry, manager: "notebook-controller"), exposer: exposer)]
}
