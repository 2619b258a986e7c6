import Foundation

/// The octets of a part or a message.
public struct Content: Sendable {
    public let data: Data
    public let type: String?
    public let etag: String?
    /// `Content-Range`, if only a range was asked for.
    public let range: String?

    public var text: String { String(decoding: data, as: UTF8.self) }
}
