/// The pages of a list, one request each.
public struct Pages: AsyncSequence, Sendable {
    public typealias Element = Page
    let call: @Sendable (String?) async throws -> Page

    public struct AsyncIterator: AsyncIteratorProtocol {
        let call: @Sendable (String?) async throws -> Page
        private var cursor: String?
        private var isDone = false

        init(call: @escaping @Sendable (String?) async throws -> Page) {
            self.call = call
        }

        public mutating func next() async throws -> Page? {
            if isDone { return nil }
            let page = try await call(cursor)
            cursor = page.nextCursor
            isDone = cursor == nil
            return page
        }
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(call: call)
    }
}

/// The messages on all pages of a list.
public struct Items: AsyncSequence, Sendable {
    public typealias Element = MessageSummary
    let pages: Pages

    public struct AsyncIterator: AsyncIteratorProtocol {
        var pages: Pages.AsyncIterator
        private var rows: ArraySlice<MessageSummary> = []

        init(pages: Pages.AsyncIterator) {
            self.pages = pages
        }

        public mutating func next() async throws -> MessageSummary? {
            while rows.isEmpty {
                guard let page = try await pages.next() else { return nil }
                rows = page.items[...]
            }
            return rows.removeFirst()
        }
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(pages: pages.makeAsyncIterator())
    }
}
