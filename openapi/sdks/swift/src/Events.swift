import Foundation
#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// `type` is `change`, `resync` or `ping`. `id` is the account's token at this event.
public struct Event: Codable, Hashable, Sendable {
    public let type: String
    public let data: [String: JsonValue]
    public let id: String
}

/// The events of a request, for clients that have no ``Casella``.
public func readEvents(
    configuration: URLSessionConfiguration = .ephemeral,
    request: @escaping @Sendable () throws -> URLRequest,
    lastEventId: String? = nil,
    retries: Retries = Retries()
) -> AsyncThrowingStream<Event, any Error> {
    readEvents(Wire(configuration), request, lastEventId, retries) { _ in }
}

func readEvents(
    _ wire: Wire,
    _ request: @escaping @Sendable () throws -> URLRequest,
    _ lastEventId: String?,
    _ retries: Retries,
    _ onResponse: @escaping @Sendable (HTTPURLResponse) -> Void
) -> AsyncThrowingStream<Event, any Error> {
    AsyncThrowingStream { events in
        let reading = Task {
            var reader = Reader(last: lastEventId ?? "", retries: retries, events: events)
            do {
                try await reader.run(wire, request, onResponse)
            } catch {
                events.finish(throwing: error)
            }
        }
        events.onTermination = { _ in reading.cancel() }
    }
}

private struct Reader {
    /// In seconds. The service pings more often.
    static let silence: TimeInterval = 90
    var last: String
    let retries: Retries
    let events: AsyncThrowingStream<Event, any Error>.Continuation
    var failures = 0

    /// Opens the stream again and again, behind the last event.
    mutating func run(
        _ wire: Wire, _ request: () throws -> URLRequest, _ onResponse: (HTTPURLResponse) -> Void
    ) async throws {
        while true {
            var wait = retries.firstWait
            do {
                var asked = try request()
                asked.timeoutInterval = Reader.silence
                asked.setValue("text/event-stream", forHTTPHeaderField: "Accept")
                if !last.isEmpty { asked.setValue(last, forHTTPHeaderField: "Last-Event-ID") }
                try await once(wire.send(asked), onResponse)
            } catch {
                try Task.checkCancellation()
                failures += 1
                wait = try retries.patience(failures, error)
            }
            try await Retries.sleep(wait)
        }
    }

    private mutating func once(
        _ arrivals: AsyncThrowingStream<Arrival, any Error>, _ onResponse: (HTTPURLResponse) -> Void
    ) async throws {
        var refused: (response: HTTPURLResponse, body: Data)?
        var lines = Lines()
        var parser = Parser()
        for try await arrival in arrivals {
            switch arrival {
            case .response(let response):
                onResponse(response)
                if response.statusCode != 200 { refused = (response, Data()) }
            case .octets(let octets) where refused != nil:
                refused?.body.append(octets)
            case .octets(let octets):
                for line in lines.take(octets) {
                    if let event = try parser.take(line) { pass(event) }
                }
            }
        }
        if let refused { throw ApiProblem(refused.response, refused.body) }
    }

    private mutating func pass(_ event: Event) {
        failures = 0
        if !event.id.isEmpty { last = event.id }
        events.yield(event)
    }
}

/// Octets as lines that end by LF or CRLF; the service sends no bare CR.
private struct Lines {
    private var rest = Data()
    private var isFirst = true

    mutating func take(_ octets: Data) -> [String] {
        rest.append(octets)
        var lines: [String] = []
        while let end = rest.firstIndex(of: 0x0A) {
            var line = rest[rest.startIndex..<end]
            if line.last == 0x0D { line = line.dropLast() }
            if isFirst, line.starts(with: [0xEF, 0xBB, 0xBF]) { line = line.dropFirst(3) }
            isFirst = false
            lines.append(String(decoding: line, as: UTF8.self))
            rest = Data(rest[rest.index(after: end)...])
        }
        return lines
    }
}

/// What a stream says (WHATWG HTML, 9.2.6); an event that is cut off is left out.
private struct Parser {
    private var type = "message"
    private var id = ""
    private var data: [String] = []

    mutating func take(_ line: String) throws -> Event? {
        if line.isEmpty { return try whole() }
        let field = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        var value = field.count > 1 ? String(field[1]) : ""
        if value.hasPrefix(" ") { value.removeFirst() }
        switch field[0] {
        case "event": type = value
        case "data": data.append(value)
        case "id": id = value
        default: break
        }
        return nil
    }

    private mutating func whole() throws -> Event? {
        defer {
            type = "message"
            data = []
        }
        let text = data.joined(separator: "\n")
        if text.isEmpty { return nil }
        let members = try Json.decoder.decode([String: JsonValue].self, from: Data(text.utf8))
        return Event(type: type, data: members, id: id)
    }
}
