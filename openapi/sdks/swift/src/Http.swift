import Foundation
#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// One operation, before it is sent.
struct HttpCall: Sendable {
    private static let key = "Idempotency-Key"
    private static let plain = CharacterSet(charactersIn: "-._~").union(.init(charactersIn: "a"..."z"))
        .union(.init(charactersIn: "A"..."Z")).union(.init(charactersIn: "0"..."9"))
    private let method: String
    private var path: String
    private var query: [String] = []
    private var headers: [String: String] = [:]
    private var body: Data?

    init(_ method: String, _ path: String) {
        self.method = method
        self.path = String(path.prefix { $0 != "#" })
    }

    /// Whether a second attempt does nothing twice.
    var isRepeatable: Bool {
        ["GET", "HEAD", "PUT", "DELETE"].contains(method) || headers[HttpCall.key] != nil
    }

    mutating func path(_ name: String, _ value: String) {
        path = path.replacingOccurrences(of: "{\(name)}", with: HttpCall.encoded(value))
    }

    mutating func query<Value: CustomStringConvertible>(_ name: String, _ value: Value?) {
        guard let value else { return }
        query.append("\(HttpCall.encoded(name))=\(HttpCall.encoded(value.description))")
    }

    mutating func query(_ name: String, _ value: Date?) {
        query(name, value.map(Json.text))
    }

    mutating func query(_ name: String, _ values: [String]?) {
        values?.forEach { query(name, $0) }
    }

    mutating func header(_ name: String, _ value: String?) {
        if let value { headers[name] = value }
    }

    /// With a key of its own, if the caller gave none.
    mutating func keyed() {
        headers[HttpCall.key] = headers[HttpCall.key] ?? UUID().uuidString
    }

    mutating func json(_ value: some Encodable) throws {
        octets(try Json.encoder.encode(value), type: "application/json")
    }

    mutating func octets(_ octets: Data, type: String) {
        body = octets
        headers["Content-Type"] = type
    }

    func request(base: String, authorization: String?, etag: String?) throws -> URLRequest {
        let text = base + path + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
        guard let url = URL(string: text) else { throw URLError(.badURL) }
        var request = URLRequest(url: url, cachePolicy: .reloadIgnoringLocalCacheData)
        request.httpMethod = method
        request.httpBody = body
        headers.forEach { request.setValue($1, forHTTPHeaderField: $0) }
        if let authorization { request.setValue(authorization, forHTTPHeaderField: "Authorization") }
        if let etag { request.setValue(etag, forHTTPHeaderField: "If-None-Match") }
        return request
    }

    private static func encoded(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: plain) ?? ""
    }
}

/// Sends calls: with the token, as often as the retries allow.
final class Http: Sendable {
    let token: Locked<String?>
    private let base: String
    private let basic: String?
    private let retries: Retries
    private let wire: Wire
    private let onToken: @Sendable (String) -> Void

    init(
        base: String, token: String?, basic: String?, retries: Retries, configuration: URLSessionConfiguration,
        onToken: @escaping @Sendable (String) -> Void
    ) {
        self.base = base.hasSuffix("/") ? String(base.dropLast()) : base
        self.token = Locked(token)
        self.basic = basic
        self.retries = retries
        wire = Wire(configuration)
        self.onToken = onToken
    }

    private var authorization: String? {
        token.value.map { "Bearer \($0)" } ?? basic
    }

    func value<Value: Decodable>(_ call: HttpCall) async throws -> Value {
        try Json.decoder.decode(Value.self, from: try await answer(call).0)
    }

    func content(_ call: HttpCall) async throws -> Content {
        let (data, response) = try await answer(call)
        return Content(
            data: data,
            type: response.value(forHTTPHeaderField: "Content-Type"),
            etag: response.value(forHTTPHeaderField: "ETag"),
            range: response.value(forHTTPHeaderField: "Content-Range")
        )
    }

    func nothing(_ call: HttpCall) async throws {
        _ = try await answer(call)
    }

    func events(_ call: HttpCall, lastEventId: String?) -> AsyncThrowingStream<Event, any Error> {
        readEvents(
            wire, { try call.request(base: self.base, authorization: self.authorization, etag: nil) }, lastEventId, retries,
            { self.renew(from: $0) })
    }

    func renew(_ renewed: String) {
        token.value = renewed
        onToken(renewed)
    }

    private func renew(from response: HTTPURLResponse) {
        if let renewed = response.value(forHTTPHeaderField: "Casella-Token") { renew(renewed) }
    }

    private func answer(_ call: HttpCall) async throws -> (Data, HTTPURLResponse) {
        var attempt = 1
        while true {
            do {
                return try await once(call)
            } catch {
                guard call.isRepeatable, let wait = retries.wait(after: attempt, error) else { throw error }
                try await Retries.sleep(wait)
            }
            attempt += 1
        }
    }

    private func once(_ call: HttpCall) async throws -> (Data, HTTPURLResponse) {
        let asked = Conditional.current
        let request = try call.request(base: base, authorization: authorization, etag: asked?.etag)
        let (data, response) = try await wire.octets(of: request)
        renew(from: response)
        asked?.seen.value = response.value(forHTTPHeaderField: "ETag") ?? asked?.etag
        if (200..<300).contains(response.statusCode) { return (data, response) }
        if response.statusCode == 304, asked != nil { throw Unchanged() }
        throw ApiProblem(response, data)
    }
}

/// That the calls of a task are conditional.
final class Conditional: Sendable {
    @TaskLocal static var current: Conditional?
    let etag: String?
    let seen: Locked<String?>

    init(_ etag: String?) {
        self.etag = etag
        seen = Locked(etag)
    }
}

struct Unchanged: Error {}

/// A value that tasks share.
final class Locked<Value>: @unchecked Sendable {
    private let lock = NSLock()
    private var stored: Value

    init(_ value: Value) {
        stored = value
    }

    var value: Value {
        get { lock.withLock { stored } }
        set { lock.withLock { stored = newValue } }
    }

    func change<Result>(_ change: (inout Value) -> Result) -> Result {
        lock.withLock { change(&stored) }
    }
}
