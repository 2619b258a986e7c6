import CasellaClient
import Foundation

/// `wake URL USERNAME PASSWORD PUSH …` verifies and renews a subscription by a push, and prints what came of it as JSON.
func wake(_ arguments: [String]) async throws {
    let casella = Casella(arguments[0], username: arguments[1], password: arguments[2])
    guard let confirmed = try await casella.confirm(Push.read(Data(arguments[3].utf8))) else {
        fatalError("there was nothing to confirm")
    }
    let renewed = [
        try await casella.renew(confirmed), try await casella.renew(Push.Verification(id: "p_none", code: "code")),
    ]
    let out: [String: Any] = ["confirmed": confirmed.id, "renewed": renewed]
    print(String(decoding: try JSONSerialization.data(withJSONObject: out), as: UTF8.self))
}
