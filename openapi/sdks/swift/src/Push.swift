import Foundation

/// What a push says: that an account has changed, or that the device should be verified. `from` and `subject` come with an alert.
public struct Push: Codable, Sendable {
    /// The first push. Keep it: it renews the subscription, too.
    public struct Verification: Codable, Sendable {
        public let id: String
        public let code: String

        public init(id: String, code: String) {
            self.id = id
            self.code = code
        }
    }

    public let account: String?
    public let token: String?
    public let folders: [String]?
    public let at: String?
    public let from: String?
    public let subject: String?
    public let signInAgain: Bool?
    public let verification: Verification?

    /// A push as JSON: what a service extension finds under `casella` in the `userInfo` of a notification.
    public static func read(_ json: Data) throws -> Push {
        try Json.decoder.decode(Push.self, from: json)
    }
}
