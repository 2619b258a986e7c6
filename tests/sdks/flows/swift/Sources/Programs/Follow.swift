// Prints each event as a line of JSON, and the problem that ended it.
import CasellaClient
import Foundation
#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

func follow(_ url: String, _ authorization: String) async throws {
    var request = URLRequest(url: URL(string: url)!)
    request.setValue(authorization, forHTTPHeaderField: "Authorization")
    do {
        for try await event in readEvents(request: { [request] in request }, retries: Retries(firstWait: 0)) {
            try say(event)
        }
    } catch let refused as ApiProblem {
        try say(refused.problem)
    }
}
