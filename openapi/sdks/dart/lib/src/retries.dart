part of '../casella_client.dart';

/// How often a call is made that may succeed later, and how long the waits between are.
class Retries {
  const Retries({
    this.attempts = 4,
    this.firstWait = const Duration(milliseconds: 500),
    this.longestWait = const Duration(seconds: 30),
  });

  final int attempts;
  final Duration firstWait;
  final Duration longestWait;

  /// A random wait after the attempt of this number, from 1. Never shorter than the service demands.
  Duration waitAfter(int attempt, {Duration demanded = Duration.zero}) {
    final doubled = firstWait * pow(2, min(attempt - 1, 20)).toInt();
    final wait = (doubled < longestWait ? doubled : longestWait) * _random.nextDouble();
    return wait < demanded ? demanded : wait;
  }
}

final _random = Random.secure();

/// A new Idempotency-Key.
String _newKey() => [for (var i = 0; i < 16; i++) _random.nextInt(256).toRadixString(16).padLeft(2, '0')].join();
