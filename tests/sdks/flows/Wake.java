import java.security.GeneralSecurityException;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.casella.client.Casella;
import org.casella.client.Json;
import org.casella.client.Push;
import org.casella.client.PushKeys;
import org.casella.client.model.NewSession;

/** {@code Wake URL USERNAME PASSWORD PUSH KEYS BODY …} verifies and renews a subscription by a push, and decrypts another. */
public class Wake {
  public static void main(String[] arguments) throws Exception {
    Casella casella = new Casella(arguments[0]);
    casella.signIn(new NewSession().username(arguments[1]).password(arguments[2]));
    Push.Verification confirmed = casella.confirm(Push.read(arguments[3]));
    PushKeys device = PushKeys.of(arguments[4]);
    byte[] body = Base64.getDecoder().decode(arguments[5]);
    Map<String, Object> out = new LinkedHashMap<>();
    out.put("confirmed", confirmed.id());
    out.put("renewed", List.of(casella.renew(confirmed), casella.renew(new Push.Verification("p_none", "code"))));
    out.put("again", PushKeys.of(device.export()).keys().equals(device.keys()));
    out.put("decrypted", List.of(device.decrypt(body).from(), isForAnother(body)));
    System.out.println(Json.MAPPER.writeValueAsString(out));
  }

  private static boolean isForAnother(byte[] body) {
    try {
      PushKeys.create().decrypt(body);
      return false;
    } catch (GeneralSecurityException error) {
      return true;
    }
  }
}
