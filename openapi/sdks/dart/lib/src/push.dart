part of '../casella_client.dart';

/// The first push. Keep it: it renews the subscription, too.
class Verification {
  const Verification(this.id, this.code);

  final String id;
  final String code;
}

/// What a push says: that an account has changed, or that the device should be verified. [from] and [subject] come with an alert.
class Push {
  Push._(this._said);

  /// A push as the platform gives it, or the member `casella` of FCM.
  factory Push.read(String text) => Push._(jsonDecode(text) as Map<String, dynamic>);

  final Map<String, dynamic> _said;

  String? get account => _said['account'] as String?;
  String? get token => _said['token'] as String?;
  List<String> get folders => [for (final one in _said['folders'] as List<dynamic>? ?? const []) one as String];
  DateTime? get at => _readOrNull(_said['at'], _timeFrom);
  String? get from => _said['from'] as String?;
  String? get subject => _said['subject'] as String?;
  bool get signInAgain => _said['signInAgain'] as bool? ?? false;

  Verification? get verification {
    final said = _said['verification'] as Map<String, dynamic>?;
    return said == null ? null : Verification(said['id'] as String, said['code'] as String);
  }
}
