public import Catalogue
public import Registry

/// The rules of kinds that this part adds to the Registry.
public enum AccessRules {
    public static let all = RoleRules.all.merging(AccountAdmission.rules) { first, _ in first }.merging(CertificateRequestRules.all) { first, _ in first }
}
