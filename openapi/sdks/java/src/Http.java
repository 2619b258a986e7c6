package org.casella.client;

import com.fasterxml.jackson.core.type.TypeReference;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.function.Supplier;

/** Sends calls: with the token, as often as the retries allow. For the generated code. */
public final class Http {
  private static final Duration TIMEOUT = Duration.ofSeconds(60);
  private static final int LONGEST_PROBLEM = 1 << 20;
  private final String base;
  private final String basic;
  private final Retries retries;
  private final HttpClient client;
  private final Consumer<String> onToken;
  private final ThreadLocal<Conditional> conditional = new ThreadLocal<>();
  private volatile String token;

  Http(String base, String token, String basic, Retries retries, HttpClient client, Consumer<String> onToken) {
    this.base = base;
    this.token = token;
    this.basic = basic;
    this.retries = retries;
    this.client = client;
    this.onToken = onToken;
  }

  public <T> T value(HttpCall call, TypeReference<T> type) {
    return answer(call, response -> {
      try (InputStream octets = response.body()) {
        return Json.MAPPER.readValue(octets, type);
      }
    });
  }

  public Content content(HttpCall call) {
    return answer(call, Content::new);
  }

  public void nothing(HttpCall call) {
    answer(call, response -> {
      response.body().close();
      return null;
    });
  }

  private String authorization() {
    String now = token;
    return now == null ? basic : "Bearer " + now;
  }

  String token() {
    return token;
  }

  void renew(String renewed) {
    token = renewed;
    onToken.accept(renewed);
  }

  void forget() {
    token = null;
  }

  <T> Versioned<T> ifChanged(String etag, Supplier<T> call) {
    Conditional asked = new Conditional(etag);
    conditional.set(asked);
    try {
      return new Versioned<>(call.get(), asked.current, false);
    } catch (Unchanged same) {
      return new Versioned<>(null, asked.current, true);
    } finally {
      conditional.remove();
    }
  }

  void events(HttpCall call, String lastEventId, Predicate<Event> each) {
    Events.read(client, () -> call.request(base, authorization(), null), lastEventId, retries, this::renewFrom, each);
  }

  private <T> T answer(HttpCall call, Reading<T> reading) {
    for (int attempt = 1; ; attempt++) {
      try {
        return once(call, reading);
      } catch (ApiProblem | UncheckedIOException failure) {
        if (!call.isRepeatable() || Thread.currentThread().isInterrupted()) throw failure;
        sleep(retries.wait(attempt, failure).orElseThrow(() -> failure));
      }
    }
  }

  private <T> T once(HttpCall call, Reading<T> reading) {
    Conditional asked = conditional.get();
    HttpRequest request = call.request(base, authorization(), asked == null ? null : asked.etag).timeout(TIMEOUT).build();
    try {
      HttpResponse<InputStream> response = send(client, request);
      renewFrom(response);
      if (asked != null) asked.current = response.headers().firstValue("ETag").orElse(asked.etag);
      if (response.statusCode() < 300) return reading.of(response);
      throw failure(response, asked);
    } catch (IOException lost) {
      throw new UncheckedIOException(lost);
    }
  }

  static HttpResponse<InputStream> send(HttpClient client, HttpRequest request) throws IOException {
    try {
      return client.send(request, BodyHandlers.ofInputStream());
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException();
    }
  }

  static RuntimeException failure(HttpResponse<InputStream> response, Conditional asked) throws IOException {
    try (InputStream body = response.body()) {
      if (response.statusCode() == 304 && asked != null) return new Unchanged();
      return ApiProblem.of(response, body.readNBytes(LONGEST_PROBLEM));
    }
  }

  static void sleep(Duration wait) {
    try {
      Thread.sleep(wait.toMillis());
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new UncheckedIOException(new InterruptedIOException());
    }
  }

  private void renewFrom(HttpResponse<?> response) {
    response.headers().firstValue("Casella-Token").ifPresent(this::renew);
  }

  private interface Reading<T> {
    T of(HttpResponse<InputStream> response) throws IOException;
  }

  /** That the calls of this thread are conditional. */
  static final class Conditional {
    private final String etag;
    private String current;

    Conditional(String etag) {
      this.etag = etag;
      this.current = etag;
    }
  }

  private static final class Unchanged extends RuntimeException {
    Unchanged() {
      super(null, null, false, false);
    }
  }
}
