part of '../casella_client.dart';

/// The pages of a list, one by one:
/// `pages((cursor) => casella.messages.listMessages('me', 'inbox', cursor: cursor))`.
Stream<MessagePage> pages(Future<MessagePage> Function(String? cursor) call) async* {
  String? cursor;
  do {
    final page = await call(cursor);
    yield page;
    cursor = page.nextCursor;
  } while (cursor != null);
}

/// The items of all pages.
Stream<MessageSummary> items(Future<MessagePage> Function(String? cursor) call) async* {
  await for (final page in pages(call)) {
    yield* Stream.fromIterable(page.items);
  }
}
