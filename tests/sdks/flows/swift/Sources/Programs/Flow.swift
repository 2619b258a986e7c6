// What an app does, by the Swift SDK, in the steps of openapi/sdks/STEPS.md: prints what came of it as JSON.
import CasellaClient
import Foundation

func flow(_ url: String, _ username: String, _ password: String) async throws {
    let casella = Casella(url)
    let messages = casella.messages
    try await casella.signIn(NewSession(username: username, password: password))
    let account = try await casella.accounts.getAccount(account: "me")
    let folders = try await casella.folders.listFolders(account: "me")
    var pages: [Page] = []
    let all = casella.pages { cursor in
        try await messages.listMessages(account: "me", folder: "inbox", options: .init(limit: 2, cursor: cursor))
    }
    for try await page in all { pages.append(page) }
    let message = try await messages.getMessage(account: "me", message: pages.last!.items.last!.id)
    let first = try await casella.ifChanged(nil) {
        try await messages.listMessages(account: "me", folder: "inbox", options: .init(limit: 2))
    }
    let second = try await casella.ifChanged(first.etag) {
        try await messages.listMessages(account: "me", folder: "inbox", options: .init(limit: 2))
    }
    let part = message.attachments[0].id
    let range = try await messages.getPart(
        account: "me", message: message.id, part: part, options: .init(range: "bytes=10-19"))
    let whole = try await messages.getPart(account: "me", message: message.id, part: part)
    let flags = try await messages.changeFlags(account: "me", message: message.id, flagPatch: .init(add: ["$flagged"]))
    let either = SearchFilter(operator: "OR", conditions: [.init(subject: "会議"), .init(hasAttachment: true)])
    let found = try await messages.searchMessages(account: "me", searchRequest: .init(filter: either))
    try say([
        "signedIn": .array([.string(account.username), .string(account.protocol)]),
        "folders": texts(folders.items.compactMap(\.role).sorted()),
        "pages": .array(pages.map { texts($0.items.map { $0.subject ?? "" }) }),
        "message": .array([
            .string(message.from[0].email), .string(message.body.text!),
            .number(message.receivedAt!.timeIntervalSince1970), .string(message.attachments[0].name!),
        ]),
        "unchanged": .array([.bool(first.isUnchanged), .bool(second.isUnchanged)]),
        "part": .array([.string(range.text), .number(Double(whole.data.count))]),
        "flags": texts(flags.flags.sorted()),
        "found": texts(found.items.map { $0.subject ?? "" }.sorted()),
        "draft": try await sent(casella, account),
        "missing": try await missing(casella),
        "event": texts(try await changed(casella)),
        "signedOut": try await signedOut(casella),
    ])
}

private func sent(_ casella: Casella, _ account: Account) async throws -> JsonValue {
    let new = NewDraft(to: [Address(email: "bob@example.net")], subject: "Grüße 会議", text: "Hello")
    let draft = try await casella.drafts.createDraft(account: "me", newDraft: new)
    if account.capabilities.contains("send") {
        let submission = try await casella.sending.sendDraft(account: "me", message: draft.id)
        return .array([.string("sent"), texts(submission.accepted)])
    }
    let appended = try await casella.messages.appendMessage(
        account: "me", folder: "drafts", body: source("draft"), options: .init(flags: ["$draft"]))
    let copy = try await casella.messages.getSource(account: "me", message: appended.id!)
    return texts(["appended", copy.text])
}

private func missing(_ casella: Casella) async throws -> JsonValue {
    let problem = try await refused { try await casella.messages.getMessage(account: "me", message: "m_nosuch") }
    let isExplained = !problem.requestId.isEmpty && !problem.detail.isEmpty
    return .array([
        .string(problem.type), .string(problem.title), .number(Double(problem.status)), .bool(problem.retryable),
        .bool(isExplained), .string(problem.what!),
    ])
}

private func changed(_ casella: Casella) async throws -> [String] {
    var appended: String?
    var seen: [String] = []
    for try await event in casella.events() {
        if appended == nil {
            seen.append(event.type)
            appended = try await casella.messages.appendMessage(account: "me", folder: "inbox", body: source("event")).id
        }
        if event.data["created"]?.strings.contains(appended!) == true {
            seen.append(event.type)
            break
        }
    }
    return seen
}

private func signedOut(_ casella: Casella) async throws -> JsonValue {
    try await casella.signOut()
    return .number(Double(try await refused { try await casella.accounts.getAccount(account: "me") }.status))
}

func refused<Value>(_ call: () async throws -> Value) async throws -> ApiProblem {
    do {
        _ = try await call()
    } catch let problem as ApiProblem {
        return problem
    }
    fatalError("it was not refused")
}

private func source(_ subject: String) -> Data {
    Data("Subject: \(subject)\r\n\r\ntext\r\n".utf8)
}

func texts(_ values: [String]) -> JsonValue {
    .array(values.map { .string($0) })
}

func say(_ value: some Encodable) throws {
    print(String(decoding: try Json.encoder.encode(value), as: UTF8.self))
}
