import casella.client.ApiException;
import casella.client.Events;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.URI;
import java.net.http.HttpClient;
import java.time.Duration;
import java.util.Map;

/** {@code Follow URL AUTHORIZATION} prints each event as a line of JSON, and the problem that ended it. */
public class Follow {
  public static void main(String[] arguments) throws Exception {
    ObjectMapper json = new ObjectMapper();
    Map<String, String> headers = Map.of("Authorization", arguments[1]);
    try {
      Events.follow(HttpClient.newHttpClient(), URI.create(arguments[0]), headers, "", Duration.ZERO, event -> {
        System.out.println(json.valueToTree(event));
        return true;
      });
    } catch (ApiException error) {
      System.out.println(error.getResponseBody());
    }
  }
}
