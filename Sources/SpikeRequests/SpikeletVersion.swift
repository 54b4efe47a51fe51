/// What the command and the C interface say of themselves.
public enum SpikeletVersion {
    /// By Semantic Versioning; CHANGELOG.md tells what each brought.
    public static let current = "0.1.0"
}
