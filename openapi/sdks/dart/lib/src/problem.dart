part of '../casella_client.dart';

const _mayPass = {429, 502, 503, 504};

/// A failed call. [type] and [retryable] are for programs, [title] and [detail] for people.
class ApiProblem implements Exception {
  const ApiProblem(this.problem, {this.retryAfter = Duration.zero});

  final Problem problem;

  /// What the service demands.
  final Duration retryAfter;

  String get type => problem.type;
  String get title => problem.title;
  int get status => problem.status;
  String get detail => problem.detail;
  String get instance => problem.instance;
  bool get retryable => problem.retryable;
  String get requestId => problem.requestId;
  UpstreamCause? get upstream => problem.upstream;
  String? get what => problem.what;
  String? get capability => problem.capability;
  List<InvalidValue>? get errors => problem.errors;
  List<Rejected>? get recipients => problem.recipients;

  @override
  String toString() => 'ApiProblem: ${detail.isEmpty ? title : detail}';
}

/// The problem that a response holds. If it holds none, such as that of a proxy, its type is `about:blank`.
Future<ApiProblem> _problemOf(http.StreamedResponse response) async {
  final status = response.statusCode;
  final reason = response.reasonPhrase ?? '';
  final fields = <String, dynamic>{
    'type': 'about:blank',
    'title': reason.isEmpty ? 'HTTP $status' : reason,
    'status': status,
    'detail': '',
    'instance': '',
    'retryable': _mayPass.contains(status),
    'requestId': response.headers['x-request-id'] ?? '',
    ...await _sent(response),
  };
  return ApiProblem(Problem.fromJson(fields), retryAfter: _seconds(response.headers['retry-after']));
}

Future<Map<String, dynamic>> _sent(http.StreamedResponse response) async {
  final kind = response.headers['content-type'] ?? '';
  final octets = await response.stream.toBytes();
  if (!kind.toLowerCase().startsWith('application/problem+json')) return const {};
  try {
    final json = jsonDecode(utf8.decode(octets));
    return json is Map<String, dynamic> ? json : const {};
  } on FormatException {
    return const {};
  }
}

/// The service sends seconds; a date, which a proxy may send, counts as none.
Duration _seconds(String? value) => Duration(seconds: max(0, int.tryParse(value ?? '') ?? 0));
