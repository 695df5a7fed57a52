/// A set of completion indexes in the form of `status.completedIndexes`: `1,3-5,7`.
struct IndexIntervals: Equatable, CustomStringConvertible {
    /// Disjoint, in order, with a gap between each and the next.
    private(set) var ranges: [ClosedRange<Int>] = []

    init(_ indexes: some Sequence<Int>) { self.init(merging: indexes.map { $0...$0 }) }

    private init(merging pieces: [ClosedRange<Int>]) {
        for piece in pieces.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = ranges.last, piece.lowerBound <= last.upperBound + 1 {
                ranges[ranges.count - 1] = last.lowerBound...max(last.upperBound, piece.upperBound)
            } else {
                ranges.append(piece)
            }
        }
    }

    /// Reads the text of a status; indexes at or above the limit, and anything that is no index, are left out.
    init(parsing text: String, below limit: Int) {
        var found: [ClosedRange<Int>] = []
        for part in text.split(separator: ",") {
            let bounds = part.split(separator: "-").map { Int($0) }
            guard let first = bounds.first ?? nil, let last = bounds.last ?? nil, first <= last, first >= 0, first < limit else { continue }
            found.append(first...min(last, limit - 1))
        }
        self.init(merging: found)
    }

    var count: Int { ranges.reduce(0) { $0 + $1.count } }

    func contains(_ index: Int) -> Bool {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < index { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].contains(index)
    }

    func union(_ indexes: some Sequence<Int>) -> IndexIntervals {
        let new = indexes.filter { !contains($0) }.map { $0...$0 }
        return new.isEmpty ? self : IndexIntervals(merging: ranges + new)
    }

    /// What both have; costs as much as there are ranges, not indexes.
    func intersection(_ other: IndexIntervals) -> IndexIntervals {
        var common: [ClosedRange<Int>] = []
        var (mine, theirs) = (ranges[...], other.ranges[...])
        while let first = mine.first, let second = theirs.first {
            if first.overlaps(second) { common.append(first.clamped(to: second)) }
            if first.upperBound < second.upperBound { mine.removeFirst() } else { theirs.removeFirst() }
        }
        return IndexIntervals(merging: common)
    }

    /// As upstream prints it: a pair of neighbours with a comma, three and more with a dash.
    var description: String {
        ranges.map { range in
            switch range.count {
            case 1: "\(range.lowerBound)"
            case 2: "\(range.lowerBound),\(range.upperBound)"
            default: "\(range.lowerBound)-\(range.upperBound)"
            }
        }.joined(separator: ",")
    }
}
