part of '../casella_client.dart';

/// The answer to a conditional request. [value] is null if nothing changed.
class Answer<T> {
  const Answer._(this.value, this.etag, {required this.isUnchanged});

  final T? value;
  final String? etag;
  final bool isUnchanged;
}

/// The generated calls, by tag.
class Apis {
  Apis._(_Connection connection)
    : accounts = AccountsApi._(connection),
      changes = ChangesApi._(connection),
      drafts = DraftsApi._(connection),
      fetches = FetchesApi._(connection),
      folders = FoldersApi._(connection),
      health = HealthApi._(connection),
      imports = ImportsApi._(connection),
      messages = MessagesApi._(connection),
      sending = SendingApi._(connection),
      people = PeopleApi._(connection),
      push = PushApi._(connection),
      settings = SettingsApi._(connection),
      sessions = SessionsApi._(connection);

  final AccountsApi accounts;
  final ChangesApi changes;
  final DraftsApi drafts;
  final FetchesApi fetches;
  final FoldersApi folders;
  final HealthApi health;
  final ImportsApi imports;
  final MessagesApi messages;
  final SendingApi sending;
  final PeopleApi people;
  final PushApi push;
  final SettingsApi settings;
  final SessionsApi sessions;
}

/// A client of one service, for one account: `Casella(url)` and [signIn], or `Casella(url, token: token)`.
///
/// With [username] and [password] a mailbox's own credentials are sent with every request in place of a token. [onToken] is
/// called with each new token: after [signIn], and if the service renews it. [client] replaces the usual HTTP client.
class Casella extends Apis {
  factory Casella(
    String url, {
    String? token,
    String? username,
    String? password,
    void Function(String token)? onToken,
    Retries retries = const Retries(),
    http.Client? client,
  }) {
    final login = utf8.encode('$username:$password');
    final basic = username == null ? null : 'Basic ${base64.encode(login)}';
    final base = url.replaceFirst(RegExp(r'/+$'), '');
    return Casella._(_Account(base, client ?? http.Client(), retries, onToken, token, basic));
  }

  Casella._(this._account) : super._(_Connection(_account));

  final _Account _account;

  /// The session token in use.
  String? get token => _account.token;

  /// Sign in and use the token from then on.
  Future<Session> signIn(NewSession newSession) async {
    final session = await sessions.createSession(newSession);
    _account.renew(session.token);
    return session;
  }

  /// End the session. Its token is forgotten, even if the service cannot be reached.
  Future<void> signOut() async {
    try {
      await sessions.deleteSession();
    } finally {
      _account.token = null;
    }
  }

  /// Repeat a call only if its result has changed: `ifChanged(etag, (apis) => apis.folders.listFolders('me'))`. Without an
  /// ETag the call is made in any case.
  Future<Answer<T>> ifChanged<T>(String? etag, Future<T> Function(Apis apis) call) async {
    final connection = _Connection(_account, isConditional: true, etag: etag);
    try {
      final value = await call(Apis._(connection));
      return Answer._(value, connection.etag, isUnchanged: false);
    } on _Unchanged {
      return Answer._(null, etag, isUnchanged: true);
    }
  }

  /// Verify the subscription if the push asks for it. Store what is returned, and [renew] with it.
  Future<Verification?> confirm(Push message, {String account = 'me'}) async {
    final verification = message.verification;
    if (verification != null) await _verify(account, verification);
    return verification;
  }

  /// Let the subscription live seven days more. False if it has ended: subscribe again.
  Future<bool> renew(Verification verification, {String account = 'me'}) async {
    try {
      await _verify(account, verification);
      return true;
    } on ApiProblem catch (problem) {
      if (problem.status != 404) rethrow;
      return false;
    }
  }

  Future<void> _verify(String account, Verification verification) =>
      push.verifySubscription(account, verification.id, SubscriptionCode(code: verification.code));

  /// Import mail of another mailbox to the end, in as many requests as it takes. [each] gets the result of each. If this is
  /// broken off, the same import goes on later: nothing is copied twice.
  Future<ImportResult> importAll(
    NewImport newImport, {
    void Function(ImportResult result)? each,
    String account = 'me',
  }) async {
    var next = newImport;
    while (true) {
      final result = await imports.importMail(account, next);
      each?.call(result);
      if (result.isDone) return result;
      await Future<void>.delayed(Duration(seconds: result.retryAfter ?? 0));
      next = NewImport(token: result.token, seconds: newImport.seconds);
    }
  }

  /// The changes of an account, without end: a stream that breaks is continued after its last event.
  Stream<AccountEvent> events({String account = 'me', List<String> folders = const [], String? lastEventId}) {
    return readEvents(
      (headers) {
        final call = _Call('GET', '/v1/accounts/{account}/events')
          ..path('account', account)
          ..query('folders', folders.isEmpty ? null : folders.join(','))
          ..headers.addAll(headers);
        return _account.once(call);
      },
      lastEventId: lastEventId,
      retries: _account.retries,
    );
  }

  /// Close the connections. Calls after it fail.
  void close() => _account.client.close();
}
