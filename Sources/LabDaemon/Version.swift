/// What this build calls itself.
public enum Version {
    public static let kindling = "0.1.0"
    /// The Kubernetes whose API is served.
    public static let kubernetes = "v1.32.0"
}
