// Calls a service that fails in turn (tests/sdks/flaky.py), and prints what came of it as JSON.
import CasellaClient
import Foundation

func steady(_ url: String) async throws {
    let (tokens, heard) = AsyncStream<String>.makeStream()
    let casella = Casella(url, token: "one", retries: Retries(firstWait: 0.01)) { heard.yield($0) }
    let created = try await casella.folders.createFolder(account: "me", newFolder: .init(name: "Work"))
    let account = try await casella.accounts.getAccount(account: "me")
    let refusal = try await refused { try await casella.accounts.getAccount(account: "me") }
    let proxy = try await refused { try await casella.accounts.getAccount(account: "me") }
    heard.finish()
    var all: [String] = []
    for await token in tokens { all.append(token) }
    try say([
        "created": .string(created.id),
        "account": .string(account.username),
        "tokens": texts(all),
        "refused": .number(Double(refusal.status)),
        "proxy": .array([.string(proxy.type), .number(Double(proxy.status))]),
    ] as [String: JsonValue])
}
