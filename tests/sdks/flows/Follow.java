import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.time.Duration;
import org.casella.client.ApiProblem;
import org.casella.client.Events;
import org.casella.client.Json;
import org.casella.client.Retries;

/** {@code Follow URL AUTHORIZATION} prints each event as a line of JSON, and the problem that ended it. */
public class Follow {
  public static void main(String[] arguments) throws Exception {
    URI url = URI.create(arguments[0]);
    try {
      Events.read(
          HttpClient.newHttpClient(),
          () -> HttpRequest.newBuilder(url).header("Authorization", arguments[1]),
          null,
          new Retries(Duration.ZERO),
          event -> {
            System.out.println((Object) Json.MAPPER.valueToTree(event));
            return true;
          });
    } catch (ApiProblem refused) {
      System.out.println(Json.MAPPER.writeValueAsString(refused.problem()));
    }
  }
}
