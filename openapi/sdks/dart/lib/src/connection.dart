part of '../casella_client.dart';

/// The content of a part or a message.
class Content {
  const Content._(this._response);

  final http.StreamedResponse _response;

  /// The octets as they arrive. They can be read once.
  Stream<List<int>> get stream => _response.stream;

  String? get type => _response.headers['content-type'];

  /// All octets.
  Future<Uint8List> bytes() => _response.stream.toBytes();

  /// All of it as UTF-8.
  Future<String> text() async => utf8.decode(await bytes(), allowMalformed: true);
}

/// One call, without what is the same for all.
class _Call {
  _Call(this.method, String path) : _path = path.replaceFirst(RegExp(r'#.*$'), '');

  final String method;
  final headers = <String, String>{};
  final _query = <String>[];
  String _path;
  Uint8List? _body;

  void path(String name, String value) {
    _path = _path.replaceFirst('{$name}', Uri.encodeComponent(value));
  }

  /// A list is sent as a repeated parameter.
  void query(String name, Object? value) {
    for (final one in (value is List) ? value : [if (value != null) value]) {
      final text = one is DateTime ? _timeJson(one) : '$one';
      _query.add('${Uri.encodeQueryComponent(name)}=${Uri.encodeQueryComponent(text)}');
    }
  }

  void header(String name, String? value) {
    if (value != null) headers[name] = value;
  }

  /// Of an operation that takes an Idempotency-Key.
  void keyed() => headers.putIfAbsent('Idempotency-Key', _newKey);

  void json(Object value) => octets(utf8.encode(jsonEncode(value)), 'application/json');

  void octets(Uint8List octets, String type) {
    _body = octets;
    headers['Content-Type'] = type;
  }

  bool get isRepeatable =>
      const {'GET', 'HEAD', 'PUT', 'DELETE'}.contains(method) || headers.containsKey('Idempotency-Key');

  http.Request request(String url, Map<String, String> more) {
    final query = _query.isEmpty ? '' : '?${_query.join('&')}';
    final request = http.Request(method, Uri.parse('$url$_path$query'))
      ..headers.addAll(headers)
      ..headers.addAll(more);
    final body = _body;
    if (body != null) request.bodyBytes = body;
    return request;
  }
}

/// Thrown by a conditional call whose response is 304.
class _Unchanged implements Exception {
  const _Unchanged();
}

/// Sends calls as the account, and repeats those that may succeed later.
class _Connection {
  _Connection(this._account, {this.isConditional = false, this.etag});

  final _Account _account;

  /// Whether calls are sent with [etag], which then becomes that of the response.
  final bool isConditional;
  String? etag;

  Future<T> value<T>(_Call call, _From<T> from) async {
    final response = await _send(call);
    return from(jsonDecode(utf8.decode(await response.stream.toBytes())));
  }

  Future<Content> content(_Call call) async => Content._(await _send(call));

  Future<void> nothing(_Call call) async => (await _send(call)).stream.drain<void>();

  Future<http.StreamedResponse> _send(_Call call) async {
    final retries = _account.retries;
    final attempts = call.isRepeatable ? retries.attempts : 1;
    if (isConditional) call.header('If-None-Match', etag);
    for (var attempt = 1;; attempt++) {
      var demanded = Duration.zero;
      try {
        final response = await _account.once(call);
        if (response.statusCode < 400) return await _kept(response);
        final problem = await _problemOf(response);
        demanded = problem.retryAfter;
        if (!problem.retryable || attempt >= attempts || demanded > retries.longestWait) throw problem;
      } on http.ClientException {
        if (attempt >= attempts) rethrow;
      } on TimeoutException {
        if (attempt >= attempts) rethrow;
      }
      await Future<void>.delayed(retries.waitAfter(attempt, demanded: demanded));
    }
  }

  Future<http.StreamedResponse> _kept(http.StreamedResponse response) async {
    if (!isConditional) return response;
    if (response.statusCode == 304) {
      await response.stream.drain<void>();
      throw const _Unchanged();
    }
    etag = response.headers['etag'];
    return response;
  }
}

/// Who calls which service.
class _Account {
  _Account(this.url, this.client, this.retries, this.onToken, this.token, this.basic);

  final String url;
  final http.Client client;
  final Retries retries;
  final void Function(String token)? onToken;
  final String? basic;
  String? token;

  void renew(String newer) {
    if (newer == token) return;
    token = newer;
    onToken?.call(newer);
  }

  /// One attempt. Takes a new session token from the response; not after a sign-out, nor after a newer one.
  Future<http.StreamedResponse> once(_Call call) async {
    final sent = token;
    final authorization = sent == null ? basic : 'Bearer $sent';
    final request = call.request(url, {if (authorization != null) 'Authorization': authorization});
    final response = await client.send(request).timeout(_silence);
    final newer = response.headers['casella-token'];
    if (newer != null && sent == token) renew(newer);
    return response;
  }
}
