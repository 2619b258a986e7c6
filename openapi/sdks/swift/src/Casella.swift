import Foundation
#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// A client of one service and one session. It may be shared by tasks.
public final class Casella: Sendable {
    public let accounts: AccountsAPI
    public let changes: ChangesAPI
    public let drafts: DraftsAPI
    public let fetches: FetchesAPI
    public let folders: FoldersAPI
    public let health: HealthAPI
    public let imports: ImportsAPI
    public let messages: MessagesAPI
    public let sending: SendingAPI
    public let people: PeopleAPI
    public let push: PushAPI
    public let settings: SettingsAPI
    public let sessions: SessionsAPI
    private let http: Http

    /// - Parameters:
    ///   - url: where the service is, such as `https://mail.example.org`
    ///   - token: of an earlier session
    ///   - username: is sent with `password` if there is no token
    ///   - configuration: for the app's own proxies and headers
    ///   - onToken: is called with each new token, which an app keeps in place of the old one
    public init(
        _ url: String,
        token: String? = nil,
        username: String? = nil,
        password: String = "",
        retries: Retries = Retries(),
        configuration: URLSessionConfiguration = .ephemeral,
        onToken: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        let basic = username.map { "Basic " + Data("\($0):\(password)".utf8).base64EncodedString() }
        http = Http(
            base: url, token: token, basic: basic, retries: retries, configuration: configuration, onToken: onToken)
        accounts = AccountsAPI(http: http)
        changes = ChangesAPI(http: http)
        drafts = DraftsAPI(http: http)
        fetches = FetchesAPI(http: http)
        folders = FoldersAPI(http: http)
        health = HealthAPI(http: http)
        imports = ImportsAPI(http: http)
        messages = MessagesAPI(http: http)
        sending = SendingAPI(http: http)
        people = PeopleAPI(http: http)
        push = PushAPI(http: http)
        settings = SettingsAPI(http: http)
        sessions = SessionsAPI(http: http)
    }

    /// The token in use.
    public var token: String? { http.token.value }

    /// Opens a session; all other calls use its token.
    @discardableResult
    public func signIn(_ newSession: NewSession) async throws -> Session {
        let session = try await sessions.createSession(newSession: newSession)
        http.renew(session.token)
        return session
    }

    /// Closes the session's connections and forgets the token, even if the service cannot be reached.
    public func signOut() async throws {
        defer { http.token.value = nil }
        try await sessions.deleteSession()
    }

    /// What `call` gets, or that it is still what `etag` was given for. `call` gets one resource.
    public func ifChanged<Value: Sendable>(
        _ etag: String?, _ call: @Sendable () async throws -> Value
    ) async throws -> Versioned<Value> {
        let asked = Conditional(etag)
        do {
            let value = try await Conditional.$current.withValue(asked) { try await call() }
            return Versioned(value: value, etag: asked.seen.value, isUnchanged: false)
        } catch is Unchanged {
            return Versioned(value: nil, etag: asked.seen.value, isUnchanged: true)
        }
    }

    /// The pages of a list. `call` gets a cursor, which is nil for the first page.
    public func pages(_ call: @escaping @Sendable (String?) async throws -> Page) -> Pages {
        Pages(call: call)
    }

    /// The messages on all pages of a list.
    public func items(_ call: @escaping @Sendable (String?) async throws -> Page) -> Items {
        Items(pages: Pages(call: call))
    }

    /// Verifies the subscription if the push asks for it. Store what is returned, and `renew` with it.
    public func confirm(_ push: Push, account: String = "me") async throws -> Push.Verification? {
        if let verification = push.verification { try await verify(verification, account) }
        return push.verification
    }

    /// Lets the subscription live seven days more. False if it has ended: subscribe again.
    public func renew(_ verification: Push.Verification, account: String = "me") async throws -> Bool {
        do {
            try await verify(verification, account)
            return true
        } catch let problem as ApiProblem where problem.status == 404 {
            return false
        }
    }

    private func verify(_ verification: Push.Verification, _ account: String) async throws {
        let code = SubscriptionCode(code: verification.code)
        _ = try await push.verifySubscription(account: account, subscription: verification.id, subscriptionCode: code)
    }

    /// Imports mail of another mailbox to the end, in as many requests as it takes. If this is broken off, the same import goes
    /// on later: nothing is copied twice.
    ///
    /// - Parameter each: gets the result of each request
    @discardableResult
    public func importAll(
        _ newImport: NewImport, account: String = "me", each: @Sendable (ImportResult) -> Void = { _ in }
    ) async throws -> ImportResult {
        var next = newImport
        while true {
            let result = try await imports.importMail(account: account, newImport: next)
            each(result)
            if result.isDone { return result }
            try await Task.sleep(nanoseconds: UInt64(result.retryAfter ?? 0) * 1_000_000_000)
            next = NewImport(token: result.token, seconds: newImport.seconds)
        }
    }

    /// Changes of the account as they happen, without end: a connection that breaks is opened again behind the last event.
    /// Throws ``ApiProblem`` if waiting does not help.
    ///
    /// - Parameters:
    ///   - folders: ids or roles; by default all folders
    ///   - lastEventId: the `id` of the last event that the app has seen
    public func events(
        account: String = "me", folders: [String] = [], lastEventId: String? = nil
    ) -> AsyncThrowingStream<Event, any Error> {
        var call = HttpCall("GET", "/v1/accounts/{account}/events")
        call.path("account", account)
        if !folders.isEmpty { call.query("folders", folders.joined(separator: ",")) }
        return http.events(call, lastEventId: lastEventId)
    }
}

/// The answer of ``Casella/ifChanged(_:_:)``: `value` is nil if `isUnchanged`. Give `etag` with the next call.
public struct Versioned<Value: Sendable>: Sendable {
    public let value: Value?
    public let etag: String?
    public let isUnchanged: Bool
}
