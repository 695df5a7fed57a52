/// A count that may be written as a share of a total: `2` or `"25%"` (upstream: apimachinery/pkg/util/intstr).
public enum IntOrPercent {
    /// - Returns: `nil` where the value is neither a number nor a percentage.
    public static func value(_ json: JSON, of total: Int, roundingUp: Bool) -> Int? {
        // A Go intstr is an int32: sums of two of them never overflow here.
        if let number = json.intValue { return Int(Int32(clamping: number)) }
        guard let percent = percent(json) else { return nil }
        let product = total.multipliedReportingOverflow(by: percent)
        guard !product.overflow else { return nil }
        return Int(Int32(clamping: product.partialValue / 100 + (roundingUp && product.partialValue % 100 > 0 ? 1 : 0)))
    }

    /// The number before the `%`; `nil` where the value is no percentage.
    public static func percent(_ json: JSON) -> Int? {
        guard let text = json.stringValue, text.hasSuffix("%"), text.utf8.count > 1 else { return nil }
        guard text.utf8.dropLast().allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(text.dropLast())
    }

    /// What is wrong with a field of this type (upstream: ValidatePositiveIntOrPercent, IsNotMoreThan100Percent).
    /// - Parameter isShare: whether more than 100 % makes no sense.
    public static func problems(_ json: JSON, field: String, isShare: Bool = false) -> [APIStatus.Cause] {
        if json.isNull { return [] }
        if let number = json.intValue {
            return number < 0 ? [.invalid(field, json, "must be greater than or equal to 0")] : []
        }
        guard let percent = percent(json) else {
            let text = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
            return [.invalid(field, json, text)]
        }
        return isShare && percent > 100 ? [.invalid(field, json, "must not be greater than 100%")] : []
    }
}
