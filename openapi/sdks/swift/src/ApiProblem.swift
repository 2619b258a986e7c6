import Foundation
#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// The service, or something before it, refused a call. `type` and `retryable` are for programs, `title` and `detail` for people.
public struct ApiProblem: Error, Hashable, Sendable {
    /// All members of the error.
    public let problem: Problem
    /// How many seconds the service wants a client to wait.
    public let retryAfter: TimeInterval?

    public var type: String { problem.type }
    public var title: String { problem.title }
    public var status: Int { problem.status }
    public var detail: String { problem.detail }
    public var retryable: Bool { problem.retryable }
    public var requestId: String { problem.requestId }
    public var what: String? { problem.what }
    public var capability: String? { problem.capability }
    public var upstream: UpstreamCause? { problem.upstream }
    public var errors: [InvalidValue]? { problem.errors }
    public var recipients: [Rejected]? { problem.recipients }

    init(_ response: HTTPURLResponse, _ body: Data) {
        let type = response.value(forHTTPHeaderField: "Content-Type") ?? ""
        let unknown = ApiProblem.unknown(response)
        problem = type.hasPrefix("application/problem+json") ? ApiProblem.read(body, unknown) : unknown
        retryAfter = response.value(forHTTPHeaderField: "Retry-After").flatMap(ApiProblem.seconds)
    }

    private static func read(_ body: Data, _ unknown: Problem) -> Problem {
        guard let known = try? Json.decoder.decode([String: JsonValue].self, from: body),
            let octets = try? Json.encoder.encode(unknown),
            let members = try? Json.decoder.decode([String: JsonValue].self, from: octets),
            let all = try? Json.encoder.encode(members.merging(known) { $1 })
        else { return unknown }
        return (try? Json.decoder.decode(Problem.self, from: all)) ?? unknown
    }

    /// What a proxy says, for one.
    private static func unknown(_ response: HTTPURLResponse) -> Problem {
        Problem(
            type: "about:blank",
            title: "HTTP \(response.statusCode)",
            status: response.statusCode,
            detail: "The answer is not one of Casella's.",
            instance: response.url?.path ?? "",
            retryable: [429, 502, 503, 504].contains(response.statusCode),
            requestId: response.value(forHTTPHeaderField: "X-Request-Id") ?? ""
        )
    }

    private static func seconds(_ value: String) -> TimeInterval? {
        if let seconds = UInt32(value) { return TimeInterval(seconds) }
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
        return format.date(from: value).map { max($0.timeIntervalSinceNow, 0) }
    }
}

extension ApiProblem: LocalizedError {
    public var errorDescription: String? { "\(status) \(title): \(detail)" }
}
