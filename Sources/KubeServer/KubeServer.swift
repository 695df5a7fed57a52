// KubeServer
