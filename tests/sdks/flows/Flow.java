import casella.client.ApiClient;
import casella.client.ApiException;
import casella.client.api.AccountsApi;
import casella.client.api.FoldersApi;
import casella.client.api.MessagesApi;
import casella.client.api.SessionsApi;
import casella.client.model.*;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.nio.file.Files;
import java.util.*;

/** What an app does, by the generated Java SDK: {@code Flow URL USERNAME PASSWORD} prints what came of it as JSON. */
public class Flow {
  private static String url, username, password;

  interface Call {
    void run() throws Exception;
  }

  static ApiClient client() {
    ApiClient client = new ApiClient();
    client.updateBaseUri(url);
    return client;
  }

  static ApiClient signedIn(String protocol) throws Exception {
    NewSession asked = new NewSession().username(username).password(password).protocol(protocol);
    String token = new SessionsApi(client()).createSession(asked).getToken();
    return client().setRequestInterceptor(request -> request.header("Authorization", "Bearer " + token));
  }

  static Problem problem(Call call) throws Exception {
    try {
      call.run();
    } catch (ApiException error) {
      return ApiClient.createDefaultObjectMapper().readValue(error.getResponseBody(), Problem.class);
    }
    throw new AssertionError("it was not refused");
  }

  static List<String> subjects(Page page) {
    return page.getItems().stream().map(MessageSummary::getSubject).toList();
  }

  static Page list(MessagesApi messages, Integer limit, String cursor, Boolean flagged) throws Exception {
    return messages.listMessages("me", "inbox", null, null, null, null, null, null, null, null, null, null, null, null,
        null, null, null, null, null, flagged, limit, cursor, null, null, null, null, null);
  }

  public static void main(String[] arguments) throws Exception {
    url = arguments[0];
    username = arguments[1];
    password = arguments[2];
    ApiClient client = signedIn(null);
    MessagesApi messages = new MessagesApi(client);
    Account account = new AccountsApi(client).getAccount("me");
    FolderList folders = new FoldersApi(client).listFolders("me", null);
    Page first = list(messages, 2, null, null), second = list(messages, 2, first.getNextCursor(), null);
    Message message = messages.getMessage("me", second.getItems().get(0).getId(), null, null);
    Part attachment = message.getAttachments().get(0);
    Flags flags = messages.changeFlags("me", message.getId(), new FlagPatch().add(List.of("$flagged")), null);
    Page flagged = list(messages, null, null, true);
    SearchFilter either = new SearchFilter().operator("OR").addConditionsItem(new SearchFilter().subject("会議"))
        .addConditionsItem(new SearchFilter().hasAttachment(true));
    Page found = messages.searchMessages("me", new SearchRequest().filter(either));
    BulkRequest bulk = new BulkRequest().ids(List.of(message.getId(), "m_nosuch")).action(BulkAction.FLAGS).add(List.of("$seen"));
    BulkResponse results = messages.changeMessages("me", bulk, null);
    File draft = File.createTempFile("draft", ".eml");
    Files.writeString(draft.toPath(), "Subject: draft\r\n\r\ntext\r\n");
    MessageRef appended = messages.appendMessage("me", "drafts", draft, List.of("$draft", "$seen"), null, null);
    Problem missing = problem(() -> messages.getMessage("me", "m_nosuch", null, null));
    FoldersApi maildrop = new FoldersApi(signedIn("pop3"));
    Problem unsupported = problem(() -> maildrop.createFolder("me", new NewFolder().name("Work"), null));
    Folder newer = ApiClient.createDefaultObjectMapper().readValue(
        "{\"id\":\"f\",\"name\":\"n\",\"path\":[],\"isSubscribed\":true,\"isSelectable\":true,\"colour\":\"blue\"}", Folder.class);

    Map<String, Object> out = new LinkedHashMap<>();
    out.put("account", List.of(account.getUsername(), account.getProtocol()));
    out.put("roles", folders.getItems().stream().map(Folder::getRole).filter(Objects::nonNull).sorted().toList());
    out.put("first", subjects(first));
    out.put("second", subjects(second));
    out.put("total", first.getTotal());
    out.put("last", second.getNextCursor() == null);
    out.put("from", message.getFrom().get(0).getEmail());
    out.put("text", message.getBody().getText());
    out.put("received", message.getReceivedAt().toEpochSecond());
    out.put("attachment", attachment.getName());
    out.put("range", Files.readString(part(messages, message, attachment, "bytes=10-19").toPath()));
    out.put("octets", part(messages, message, attachment, null).length());
    out.put("flags", flags.getFlags().stream().sorted().toList());
    out.put("flagged", subjects(flagged));
    out.put("found", subjects(found).stream().sorted().toList());
    out.put("bulk", results.getResults().stream()
        .map(one -> Arrays.asList(one.getStatus(), one.getProblem() == null ? null : one.getProblem().getWhat())).toList());
    out.put("source", Files.readString(messages.getSource("me", appended.getId(), null, null, null).toPath()));
    out.put("missing", List.of(missing.getType(), missing.getStatus(), missing.getWhat()));
    out.put("unsupported", List.of(unsupported.getType(), unsupported.getStatus(), unsupported.getCapability()));
    out.put("newer", newer.getName());
    System.out.println(new ObjectMapper().writeValueAsString(out));
  }

  static File part(MessagesApi messages, Message message, Part attachment, String range) throws Exception {
    return messages.getPart("me", message.getId(), attachment.getId(), null, null, null, range, null, null);
  }
}
