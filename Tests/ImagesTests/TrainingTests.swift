import Foundation
import Testing

/// The shipped mnist.py, run with the environment that the set-up script built. Skipped where it has not been built.
@Suite struct TrainingTests {
    private static let etc = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("etc").path

    /// The layer that holds `/var/lib/kindling/python/trainer` and the digits.
    private static let layer: String? = {
        let variables = ProcessInfo.processInfo.environment
        let home = variables["HOME"] ?? "/"
        let caches = [variables["KINDLING_CACHE"], "/var/cache/kindling", "\(home)/.cache/kindling"].compactMap { $0 }
        for cache in caches {
            let built = (try? FileManager.default.contentsOfDirectory(atPath: "\(cache)/python")) ?? []
            for name in built where name.hasPrefix("trainer-") {
                let root = "\(cache)/python/\(name)/root"
                if FileManager.default.fileExists(atPath: "\(root)/opt/mxnet-mnist/digits.csv") { return root }
            }
        }
        return nil
    }()

    private struct Run {
        var status: Int32
        var output: String
        var log: String

        func last(_ metric: String) -> Double? {
            log.split(separator: "\n").last { $0.contains("\(metric)=") }
                .flatMap { Double($0.split(separator: "=").last ?? "") }
        }
    }

    private func train(_ arguments: String...) throws -> Run {
        let layer = try #require(Self.layer)
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("kindling-mnist-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        // As the overlay does it: program and data in one directory.
        let program = "\(Self.etc)/environments/mxnet-mnist/opt/mxnet-mnist/mnist.py"
        try FileManager.default.copyItem(atPath: program, toPath: "\(directory)/mnist.py")
        try FileManager.default.createSymbolicLink(
            atPath: "\(directory)/digits.csv", withDestinationPath: "\(layer)/opt/mxnet-mnist/digits.csv")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "\(layer)/var/lib/kindling/python/trainer/bin/python3")
        process.arguments = ["\(directory)/mnist.py"] + arguments
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        let output = Pipe()
        let log = Pipe()
        process.standardOutput = output
        process.standardError = log
        try process.run()
        let text = log.fileHandleForReading.readDataToEndOfFile()
        let printed = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Run(
            status: process.terminationStatus, output: String(decoding: printed, as: UTF8.self),
            log: String(decoding: text, as: UTF8.self))
    }

    @Test(.enabled(if: layer != nil)) func printsUpstreamsLinesToStandardError() throws {
        let run = try train("--batch-size=64", "--lr=0.02", "--num-layers=2", "--optimizer=sgd")
        #expect(run.status == 0)
        #expect(run.output.isEmpty)
        let lines = run.log.split(separator: "\n")
        for epoch in 0..<10 {
            for metric in ["Train-accuracy", "Validation-accuracy", "Time cost"] {
                #expect(lines.filter { $0.contains("Epoch[\(epoch)] \(metric)=") }.count == 1)
            }
        }
        let pattern = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ INFO     Epoch\[9\] Validation-accuracy=0\.\d{6}/
        #expect(lines.last?.wholeMatch(of: pattern) != nil)
        #expect(run.last("Validation-accuracy").map { $0 > 0.95 && $0 < 0.99 } == true)
    }

    @Test(.enabled(if: layer != nil)) func accuracyDependsOnTheParameters() throws {
        let slow = try train("--lr=0.01", "--num-layers=2", "--optimizer=ftrl")
        let good = try train("--lr=0.01", "--num-layers=2", "--optimizer=adam")
        let hasty = try train("--lr=0.03", "--num-layers=5", "--optimizer=adam")
        let best = try #require(good.last("Validation-accuracy"))
        #expect(try #require(slow.last("Validation-accuracy")) < best - 0.05)
        #expect(try #require(hasty.last("Validation-accuracy")) < best - 0.02)
        #expect(try train("--lr=0.01", "--num-layers=2", "--optimizer=adam").last("Validation-accuracy") == best)
    }

    @Test(.enabled(if: layer != nil)) func acceptsUpstreamsOtherFlags() throws {
        let run = try train(
            "--num-epochs=2", "--gpus=", "--kv-store=device", "--network=mlp", "--top-k=3", "--loss=ce,nll", "--monitor=50",
            "--model-prefix=model", "--dtype=float16", "--gc-type=none", "--lr-factor=0.5", "--lr-step-epochs=1",
            "--initializer=xavier", "--num-examples=2000", "--disp-batches=10", "--wd=0.001", "--mom=0.8", "--warmup-epochs=1")
        #expect(run.status == 0)
        #expect(run.last("Validation-top_k_accuracy_3") != nil && run.last("Validation-cross-entropy") != nil)
        #expect(run.log.contains("Saved checkpoint to \"model-0002.npz\""))
        #expect(run.log.contains("Batch [0-10]\tSpeed: "))
    }

    @Test(.enabled(if: layer != nil)) func refusesWhatItCannotTrainWith() throws {
        let run = try train("--optimizer=magic")
        #expect(run.status == 1)
        #expect(run.log.contains("magic") && run.log.contains("ftrl"))
        #expect(try train("--lr=fast").status == 2)
    }
}
