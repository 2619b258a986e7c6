package org.casella.client;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.casella.client.model.InvalidValue;
import org.casella.client.model.Problem;
import org.casella.client.model.Rejected;
import org.casella.client.model.UpstreamCause;

/**
 * The service, or something before it, refused a call. {@code type} and {@code retryable} are for programs, {@code title} and
 * {@code detail} for people. Members that a problem of this type does not have are null.
 */
public final class ApiProblem extends RuntimeException {
  private static final Set<Integer> LATER = Set.of(429, 502, 503, 504);
  private final transient Problem problem;
  private final Duration retryAfter;

  private ApiProblem(Problem problem, Duration retryAfter) {
    super(problem.getStatus() + " " + problem.getTitle() + ": " + problem.getDetail());
    this.problem = problem;
    this.retryAfter = retryAfter;
  }

  static ApiProblem of(HttpResponse<?> response, byte[] body) {
    String type = response.headers().firstValue("Content-Type").orElse("");
    Problem unknown = unknown(response);
    return new ApiProblem(type.startsWith("application/problem+json") ? read(body, unknown) : unknown, retryAfter(response));
  }

  private static Problem read(byte[] body, Problem unknown) {
    try {
      JsonNode members = Json.MAPPER.readTree(body);
      ObjectNode all = Json.MAPPER.valueToTree(unknown);
      return members instanceof ObjectNode known ? Json.MAPPER.treeToValue(all.setAll(known), Problem.class) : unknown;
    } catch (IOException malformed) {
      return unknown;
    }
  }

  /** What a proxy says, for one. */
  private static Problem unknown(HttpResponse<?> response) {
    return new Problem()
        .type("about:blank")
        .title("HTTP " + response.statusCode())
        .status(response.statusCode())
        .detail("The answer is not one of Casella's.")
        .instance(response.uri().getPath())
        .retryable(LATER.contains(response.statusCode()))
        .requestId(response.headers().firstValue("X-Request-Id").orElse(""));
  }

  private static Duration retryAfter(HttpResponse<?> response) {
    String value = response.headers().firstValue("Retry-After").orElse("");
    if (value.matches("[0-9]{1,9}")) return Duration.ofSeconds(Long.parseLong(value));
    try {
      Instant time = ZonedDateTime.parse(value, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant();
      Duration wait = Duration.between(Instant.now(), time);
      return wait.isNegative() ? Duration.ZERO : wait;
    } catch (DateTimeParseException absent) {
      return null;
    }
  }

  /** All members of the error. */
  public Problem problem() {
    return problem;
  }

  public String type() {
    return problem.getType();
  }

  public String title() {
    return problem.getTitle();
  }

  public int status() {
    return problem.getStatus();
  }

  public String detail() {
    return problem.getDetail();
  }

  public boolean retryable() {
    return problem.getRetryable();
  }

  public String requestId() {
    return problem.getRequestId();
  }

  public String what() {
    return problem.getWhat();
  }

  public String capability() {
    return problem.getCapability();
  }

  public UpstreamCause upstream() {
    return problem.getUpstream();
  }

  public List<InvalidValue> errors() {
    return problem.getErrors();
  }

  public List<Rejected> recipients() {
    return problem.getRecipients();
  }

  /** How long the service wants a client to wait. */
  public Optional<Duration> retryAfter() {
    return Optional.ofNullable(retryAfter);
  }
}
