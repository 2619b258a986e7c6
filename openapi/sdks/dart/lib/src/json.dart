part of '../casella_client.dart';

typedef _From<T> = T Function(Object? json);

T _cast<T>(Object? json) => json as T;

/// JSON tells 1 and 1.0 not apart, Dart does.
double _double(Object? json) => (json! as num).toDouble();

T _read<T>(Object? json, _From<T> from) => from(json);

T? _readOrNull<T>(Object? json, _From<T> from) => json == null ? null : from(json);

List<T> _list<T>(Object? json, _From<T> from) => [for (final one in json! as List<dynamic>) from(one)];

List<T>? _listOrNull<T>(Object? json, _From<T> from) => json == null ? null : _list(json, from);

/// A time with an offset becomes one in UTC. A date becomes its midnight, in local time.
DateTime _timeFrom(Object? json) => DateTime.parse(json! as String);

String _timeJson(DateTime time) => time.toUtc().toIso8601String();

String _dateJson(DateTime time) => time.toIso8601String().substring(0, 10);
