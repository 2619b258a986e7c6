package casella.client;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The stream of changes, written by hand because generators do not read streams. */
public final class Events {
  /** {@code type} is change, resync or ping; {@code id} is the account's token at this event. */
  public record Event(String type, JsonNode data, String id) {}

  private static final Set<Integer> LATER = Set.of(429, 502, 503, 504);
  private static final ObjectMapper JSON = new ObjectMapper();

  private Events() {}

  /**
   * Until {@code each} answers false. What breaks off is taken up after {@code wait}, behind the last event. ApiException,
   * whose body is a Problem, where waiting would not help.
   */
  public static void follow(
      HttpClient client, URI uri, Map<String, String> headers, String lastId, Duration wait, Predicate<Event> each)
      throws ApiException, InterruptedException {
    AtomicReference<String> last = new AtomicReference<>(lastId);
    for (boolean goesOn = true; goesOn; Thread.sleep(goesOn ? wait.toMillis() : 0)) {
      HttpRequest.Builder request = HttpRequest.newBuilder(uri).header("Accept", "text/event-stream");
      headers.forEach(request::header);
      if (!last.get().isEmpty()) request.header("Last-Event-ID", last.get());
      try {
        HttpResponse<Stream<String>> response = client.send(request.build(), HttpResponse.BodyHandlers.ofLines());
        try (Stream<String> lines = response.body()) {
          if (response.statusCode() == 200) {
            goesOn = read(lines.iterator(), event -> {
              if (!event.id().isEmpty()) last.set(event.id());
              return each.test(event);
            });
          } else if (!LATER.contains(response.statusCode())) {
            String problem = lines.collect(Collectors.joining("\n"));
            throw new ApiException("events", response.statusCode(), response.headers(), problem);
          }
        }
      } catch (IOException | UncheckedIOException broken) {
        // The next request goes on from there.
      }
    }
  }

  /** What a stream says (WHATWG HTML, 9.2.6); an event that is cut off is left out. Whether {@code each} wants more. */
  static boolean read(Iterator<String> lines, Predicate<Event> each) throws ApiException {
    String type = "message", id = "";
    List<String> data = new ArrayList<>();
    while (lines.hasNext()) {
      String line = lines.next();
      String[] field = line.split(": ?", 2);
      String value = field.length > 1 ? field[1] : "";
      if (line.isEmpty()) {
        String text = String.join("\n", data);
        if (!text.isEmpty() && !each.test(new Event(type, parsed(text), id))) return false;
        type = "message";
        data.clear();
      } else if (field[0].equals("event")) type = value;
      else if (field[0].equals("data")) data.add(value);
      else if (field[0].equals("id")) id = value;
    }
    return true;
  }

  private static JsonNode parsed(String text) throws ApiException {
    try {
      return JSON.readTree(text);
    } catch (IOException malformed) {
      throw new ApiException(malformed);
    }
  }
}
