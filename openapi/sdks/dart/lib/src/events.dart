part of '../casella_client.dart';

/// A change, as the stream reports it.
class AccountEvent {
  const AccountEvent(this.type, this.data, this.id);

  /// `change`, `resync` or `ping`; later versions may have more.
  final String type;

  /// With `change`: `folderId`, `created`, `updated` and `destroyed`.
  final Map<String, dynamic> data;

  /// The account's token at this event.
  final String id;
}

/// The longest wait for a response, or for the next event: the service pings more often.
const _silence = Duration(seconds: 90);

/// The events of the streams that [open] opens, without end: a stream that breaks is opened again. Throws [ApiProblem] if
/// waiting does not help.
Stream<AccountEvent> readEvents(
  Future<http.StreamedResponse> Function(Map<String, String> headers) open, {
  String? lastEventId,
  Retries retries = const Retries(),
}) async* {
  var failures = 0;
  while (true) {
    var demanded = Duration.zero;
    try {
      final response = await open({
        'Accept': 'text/event-stream',
        if (lastEventId != null && lastEventId.isNotEmpty) 'Last-Event-ID': lastEventId,
      });
      if (response.statusCode != 200) throw await _problemOf(response);
      await for (final event in _parsed(response.stream.timeout(_silence))) {
        if (event.id.isNotEmpty) lastEventId = event.id;
        failures = 0;
        yield event;
      }
    } on ApiProblem catch (problem) {
      if (!problem.retryable) rethrow;
      demanded = problem.retryAfter;
    } on http.ClientException {
      // Broken: the next request goes on from there.
    } on TimeoutException {
      // Silent for too long.
    }
    failures++;
    await Future<void>.delayed(retries.waitAfter(failures, demanded: demanded));
  }
}

/// What a stream says (WHATWG HTML, 9.2.6). An event that is cut off is left out.
Stream<AccountEvent> _parsed(Stream<List<int>> octets) async* {
  const decoder = Utf8Decoder(allowMalformed: true);
  var type = 'message';
  var id = '';
  var data = <String>[];
  await for (final line in decoder.bind(octets).transform(const LineSplitter())) {
    if (line.isEmpty) {
      final text = data.join('\n');
      if (text.isNotEmpty) yield AccountEvent(type, jsonDecode(text) as Map<String, dynamic>, id);
      type = 'message';
      data = [];
      continue;
    }
    final colon = line.indexOf(':');
    final name = colon < 0 ? line : line.substring(0, colon);
    final value = colon < 0 ? '' : line.substring(colon + 1).replaceFirst(RegExp('^ '), '');
    if (name == 'event') {
      type = value;
    } else if (name == 'data') {
      data.add(value);
    } else if (name == 'id') {
      id = value;
    }
  }
}
