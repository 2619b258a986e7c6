import Foundation

/// When a call is repeated by itself: after a lost connection, or if the problem is retryable; never if it could be done twice.
public struct Retries: Sendable {
    /// Of one call, the first included.
    public var attempts: Int
    /// The longest wait in seconds before the second attempt; each later one may be twice as long.
    public var firstWait: TimeInterval
    /// If the service wants a longer wait, the problem is thrown.
    public var longestWait: TimeInterval

    public init(attempts: Int = 4, firstWait: TimeInterval = 0.5, longestWait: TimeInterval = 30) {
        self.attempts = attempts
        self.firstWait = firstWait
        self.longestWait = longestWait
    }

    /// How long to wait after this attempt, at random; nil: do not try again.
    func wait(after attempt: Int, _ failure: any Error) -> TimeInterval? {
        var asked: TimeInterval = 0
        if let problem = failure as? ApiProblem {
            guard problem.retryable else { return nil }
            asked = problem.retryAfter ?? 0
        } else if !(failure is URLError) || (failure as? URLError)?.code == .cancelled {
            return nil
        }
        guard attempt < attempts, asked <= longestWait else { return nil }
        let most = min(firstWait * pow(2, Double(min(attempt - 1, 20))), longestWait)
        return asked + TimeInterval.random(in: 0...most)
    }

    /// A stream never gives up if waiting may help.
    func patience(_ failures: Int, _ failure: any Error) throws -> TimeInterval {
        var patient = self
        patient.attempts = .max
        if let wait = patient.wait(after: failures, failure) { return wait }
        guard let problem = failure as? ApiProblem, problem.retryable else { throw failure }
        return longestWait
    }

    static func sleep(_ seconds: TimeInterval) async throws {
        try await Task.sleep(nanoseconds: UInt64(seconds * 1_000_000_000))
    }
}
