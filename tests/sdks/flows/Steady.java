import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.casella.client.ApiProblem;
import org.casella.client.Casella;
import org.casella.client.Json;
import org.casella.client.Retries;
import org.casella.client.model.NewFolder;

/** {@code Steady URL} calls a service that fails in turn (tests/sdks/flaky.py), and prints what came of it as JSON. */
public class Steady {
  public static void main(String[] arguments) throws Exception {
    List<String> tokens = new ArrayList<>();
    Retries soon = new Retries(Duration.ofMillis(10));
    Casella casella = new Casella.Builder(arguments[0]).token("one").retries(soon).onToken(tokens::add).build();
    Map<String, Object> out = new LinkedHashMap<>();
    out.put("created", casella.folders.createFolder("me", new NewFolder().name("Work")).getId());
    out.put("account", casella.accounts.getAccount("me").getUsername());
    out.put("tokens", tokens);
    out.put("refused", Flow.refused(() -> casella.accounts.getAccount("me")).status());
    ApiProblem proxy = Flow.refused(() -> casella.accounts.getAccount("me"));
    out.put("proxy", List.of(proxy.type(), proxy.status()));
    System.out.println(Json.MAPPER.writeValueAsString(out));
  }
}
