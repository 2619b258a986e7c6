import Foundation
#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// An answer, as it arrives.
enum Arrival: Sendable {
    case response(HTTPURLResponse)
    case octets(Data)
}

/// Connections that are used again.
final class Wire: Sendable {
    private let arrivals = Arrivals()
    private let session: URLSession

    init(_ configuration: URLSessionConfiguration) {
        session = URLSession(configuration: configuration, delegate: arrivals, delegateQueue: nil)
    }

    deinit {
        session.finishTasksAndInvalidate()
    }

    /// The answer while it arrives. The request is cancelled if nobody wants the rest.
    func send(_ request: URLRequest) -> AsyncThrowingStream<Arrival, any Error> {
        AsyncThrowingStream { arrived in
            let task = session.dataTask(with: request)
            arrivals.expect(task, arrived)
            arrived.onTermination = { _ in task.cancel() }
            task.resume()
        }
    }

    /// The whole answer.
    func octets(of request: URLRequest) async throws -> (Data, HTTPURLResponse) {
        var data = Data()
        var answer: HTTPURLResponse?
        for try await arrival in send(request) {
            switch arrival {
            case .response(let response): answer = response
            case .octets(let octets): data.append(octets)
            }
        }
        try Task.checkCancellation()
        guard let answer else { throw URLError(.badServerResponse) }
        return (data, answer)
    }
}

private final class Arrivals: NSObject, URLSessionDataDelegate, Sendable {
    typealias Continuation = AsyncThrowingStream<Arrival, any Error>.Continuation
    private let expected = Locked<[Int: Continuation]>([:])

    func expect(_ task: URLSessionTask, _ arrived: Continuation) {
        expected.change { $0[task.taskIdentifier] = arrived }
    }

    func urlSession(
        _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
        completionHandler: @escaping @Sendable (URLSession.ResponseDisposition) -> Void
    ) {
        if let response = response as? HTTPURLResponse { expected.value[dataTask.taskIdentifier]?.yield(.response(response)) }
        completionHandler(.allow)
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        expected.value[dataTask.taskIdentifier]?.yield(.octets(data))
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        take(task)?.finish(throwing: error)
    }

    /// A 401 is an answer like others: the token is the only credential. Linux's Foundation never ends a task by itself
    /// that is challenged, and has delivered the whole answer by then.
    func urlSession(
        _ session: URLSession, task: URLSessionTask, didReceive challenge: URLAuthenticationChallenge,
        completionHandler: @escaping @Sendable (URLSession.AuthChallengeDisposition, URLCredential?) -> Void
    ) {
        #if canImport(FoundationNetworking)
        take(task)?.finish()
        completionHandler(.cancelAuthenticationChallenge, nil)
        #else
        let methods = [NSURLAuthenticationMethodHTTPBasic, NSURLAuthenticationMethodDefault]
        let isByService = methods.contains(challenge.protectionSpace.authenticationMethod)
        completionHandler(isByService ? .rejectProtectionSpace : .performDefaultHandling, nil)
        #endif
    }

    private func take(_ task: URLSessionTask) -> Continuation? {
        expected.change { $0.removeValue(forKey: task.taskIdentifier) }
    }
}
