/// Katib's `sobol`: a quasirandom sequence that fills the space evenly, as goptuna draws it: no setting, the origin left out,
/// the dimensions in the order of the parameters' names.
///
/// Unlike goptuna, whose int parameters never take their greatest value, every value of a list of n takes one n-th of the unit
/// interval; and distributions are kept.
struct SobolSearch: IndexedAlgorithm {
    private let space: [SearchParameter]
    /// The place of each parameter among the sorted names.
    private let dimensions: [Int]
    private let directions: [[UInt32]]

    init(_ space: [SearchParameter]) throws(AlgorithmProblem) {
        guard space.count <= SobolTable.dimensions else {
            throw AlgorithmProblem(description: "sobol takes at most \(SobolTable.dimensions) parameters, found \(space.count)")
        }
        self.space = space
        let sorted = space.map(\.name).sorted()
        dimensions = space.map { parameter in sorted.firstIndex(of: parameter.name) ?? 0 }
        directions = Self.directions(space.count)
    }

    func assignment(at index: Int) -> Assignment? {
        let point = Self.point(index + 1, directions)
        return zip(space, dimensions).map { (name: $0.name, value: $0.value(at: point[$1])) }
    }

    /// The n-th point of the sequence, each coordinate in 0..<1.
    static func point(_ index: Int, _ directions: [[UInt32]]) -> [Double] {
        // Points in the order of the Gray code: the one of n is the sum of the numbers at the bits of n ^ (n >> 1).
        let gray = UInt32(truncatingIfNeeded: index ^ (index >> 1))
        return directions.map { numbers in
            var value: UInt32 = 0
            for bit in 0..<32 where gray >> bit & 1 == 1 { value ^= numbers[bit] }
            return Double(value) / 4_294_967_296
        }
    }

    /// For each dimension the number that each bit of the index adds.
    static func directions(_ count: Int) -> [[UInt32]] {
        let rows = SobolTable.rows.split(separator: "\n")
        return (0..<count).map { dimension in
            guard dimension > 0 else { return (0..<32).map { 1 << (31 - UInt32($0)) } }
            let row = rows[dimension - 1].split(separator: " ").compactMap { UInt32($0) }
            let (degree, polynomial, m) = (Int(row[0]), row[1], row[2...].map { $0 })
            var numbers = (0..<min(degree, 32)).map { m[$0] << (31 - UInt32($0)) }
            for index in degree..<32 {
                var value = numbers[index - degree] ^ (numbers[index - degree] >> UInt32(degree))
                for k in 1..<max(degree, 1) where polynomial >> UInt32(degree - 1 - k) & 1 == 1 { value ^= numbers[index - k] }
                numbers.append(value)
            }
            return numbers
        }
    }
}
