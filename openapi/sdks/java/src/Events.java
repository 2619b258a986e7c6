package org.casella.client;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.function.Supplier;

/** The stream of changes. */
public final class Events {
  private final Predicate<Event> each;
  private String last;
  private int failures;

  private Events(String last, Predicate<Event> each) {
    this.last = last == null ? "" : last;
    this.each = each;
  }

  /** The events of a request, for clients that have no {@link Casella}, until {@code each} answers false. */
  public static void read(
      HttpClient client, Supplier<HttpRequest.Builder> request, String lastEventId, Retries retries, Predicate<Event> each) {
    read(client, request, lastEventId, retries, response -> {}, each);
  }

  static void read(
      HttpClient client, Supplier<HttpRequest.Builder> request, String lastEventId, Retries retries,
      Consumer<HttpResponse<?>> onResponse, Predicate<Event> each) {
    Events events = new Events(lastEventId, each);
    for (Duration wait = Duration.ZERO; wait != null; ) {
      Http.sleep(wait);
      try {
        wait = events.once(client, request.get(), onResponse) ? retries.firstWait() : null;
      } catch (ApiProblem | UncheckedIOException failure) {
        if (failure instanceof ApiProblem problem && !problem.retryable() || Thread.currentThread().isInterrupted()) throw failure;
        wait = retries.patience(++events.failures, failure);
      }
    }
  }

  /** Whether more is wanted. */
  private boolean once(HttpClient client, HttpRequest.Builder request, Consumer<HttpResponse<?>> onResponse) {
    request.header("Accept", "text/event-stream");
    if (!last.isEmpty()) request.header("Last-Event-ID", last);
    try {
      HttpResponse<InputStream> response = Http.send(client, request.build());
      onResponse.accept(response);
      if (response.statusCode() != 200) throw Http.failure(response, null);
      try (BufferedReader lines = new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8))) {
        return read(lines);
      }
    } catch (IOException lost) {
      throw new UncheckedIOException(lost);
    }
  }

  /** What a stream says (WHATWG HTML, 9.2.6); an event that is cut off is left out. Whether more is wanted. */
  private boolean read(BufferedReader lines) throws IOException {
    String type = "message", id = "";
    List<String> data = new ArrayList<>();
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      String[] field = line.replaceFirst("^\uFEFF", "").split(": ?", 2);
      String value = field.length > 1 ? field[1] : "";
      if (line.isEmpty()) {
        String text = String.join("\n", data);
        if (!text.isEmpty() && !pass(new Event(type, Json.MAPPER.readTree(text), id))) return false;
        type = "message";
        data.clear();
      } else if (field[0].equals("event")) type = value;
      else if (field[0].equals("data")) data.add(value);
      else if (field[0].equals("id")) id = value;
    }
    return true;
  }

  private boolean pass(Event event) {
    failures = 0;
    if (!event.id().isEmpty()) last = event.id();
    return each.test(event);
  }
}
