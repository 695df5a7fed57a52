import KubeModel

/// How large a search of enas is. Each operation stands for every combination of its parameters' values, and the controller has
/// a row of weights for each of these (pkg/suggestion/v1beta1/nas/enas/Operation.py), so both are bounded here.
enum ENASSpace {
    static let operationLimit = 4096
    static let layerLimit = 64

    static func check(_ nas: JSON) throws(AlgorithmProblem) {
        let layers = nas["graphConfig"]["numLayers"].intValue ?? 0
        guard (1...layerLimit).contains(layers) else { throw AlgorithmProblem(description: "numLayers must be 1 to \(layerLimit), found \(layers)") }
        var count = 0
        for operation in nas["operations"].elements {
            var product = 1
            for parameter in operation["parameters"].elements {
                let found = try SearchParameter(parameter).gridCount()
                let (next, isTooMuch) = product.multipliedReportingOverflow(by: found)
                guard !isTooMuch, next <= operationLimit else { throw tooMany }
                product = next
            }
            count += product
        }
        guard count <= operationLimit else { throw tooMany }
        guard count > 0 else { throw AlgorithmProblem(description: "nasConfig.operations must not be empty") }
    }

    private static var tooMany: AlgorithmProblem {
        AlgorithmProblem(description: "nasConfig.operations have more than \(operationLimit) combinations of their parameters' values; give fewer")
    }
}
