package org.casella.client;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonProcessingException;
import java.util.List;

/**
 * What a push says: that an account has changed, or that the device should be verified. What is absent is null; {@code from} and
 * {@code subject} come with an alert.
 */
public record Push(
    String account, String token, List<String> folders, String at, String from, String subject,
    @JsonProperty("signInAgain") boolean isSignInAgain, Verification verification) {

  /** The first push. Keep it: it renews the subscription, too. */
  public record Verification(String id, String code) {}

  /** A push as the platform gives it, or the member {@code casella} of FCM. */
  public static Push read(String text) {
    try {
      return Json.MAPPER.readValue(text, Push.class);
    } catch (JsonProcessingException error) {
      throw new IllegalArgumentException("This is no push.", error);
    }
  }
}
