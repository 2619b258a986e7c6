import com.fasterxml.jackson.databind.JsonNode;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.casella.client.ApiProblem;
import org.casella.client.Casella;
import org.casella.client.Json;
import org.casella.client.Versioned;
import org.casella.client.api.MessagesApi.AppendMessageOptions;
import org.casella.client.api.MessagesApi.GetPartOptions;
import org.casella.client.api.MessagesApi.ListMessagesOptions;
import org.casella.client.model.*;

/** What an app does, by the Java SDK, in the steps of openapi/sdks/STEPS.md: {@code Flow URL USERNAME PASSWORD} prints what came of it as JSON. */
public class Flow {
  public static void main(String[] arguments) throws Exception {
    Casella casella = new Casella(arguments[0]);
    Map<String, Object> out = new LinkedHashMap<>();
    casella.signIn(new NewSession().username(arguments[1]).password(arguments[2]));
    Account account = casella.accounts.getAccount("me");
    out.put("signedIn", List.of(account.getUsername(), account.getProtocol()));
    out.put("folders", casella.folders.listFolders("me").getItems().stream().map(Folder::getRole).filter(Objects::nonNull).sorted().toList());
    read(casella, out);
    out.put("draft", sent(casella, account));
    ApiProblem missing = refused(() -> casella.messages.getMessage("me", "m_nosuch"));
    boolean isExplained = !missing.requestId().isEmpty() && !missing.detail().isEmpty();
    out.put("missing", List.of(missing.type(), missing.title(), missing.status(), missing.retryable(), isExplained, missing.what()));
    out.put("event", changed(casella));
    casella.signOut();
    out.put("signedOut", refused(() -> casella.accounts.getAccount("me")).status());
    System.out.println(Json.MAPPER.writeValueAsString(out));
  }

  static void read(Casella casella, Map<String, Object> out) {
    List<Page> pages = casella.pages(cursor -> casella.messages.listMessages("me", "inbox", two().cursor(cursor))).toList();
    out.put("pages", pages.stream().map(Flow::subjects).toList());
    Message message = casella.messages.getMessage("me", pages.get(pages.size() - 1).getItems().get(0).getId());
    Part part = message.getAttachments().get(0);
    String email = message.getFrom().get(0).getEmail();
    out.put("message", List.of(email, message.getBody().getText(), message.getReceivedAt().toEpochSecond(), part.getName()));
    Versioned<Page> first = casella.ifChanged(null, () -> casella.messages.listMessages("me", "inbox", two()));
    Versioned<Page> second = casella.ifChanged(first.etag(), () -> casella.messages.listMessages("me", "inbox", two()));
    out.put("unchanged", List.of(first.isUnchanged(), second.isUnchanged()));
    String range = casella.messages.getPart("me", message.getId(), part.getId(), new GetPartOptions().range("bytes=10-19")).text();
    out.put("part", List.of(range, casella.messages.getPart("me", message.getId(), part.getId()).bytes().length));
    out.put("flags", casella.messages.changeFlags("me", message.getId(), new FlagPatch().addAddItem("$flagged")).getFlags().stream().sorted().toList());
    SearchFilter either = new SearchFilter()
        .operator("OR")
        .addConditionsItem(new SearchFilter().subject("会議"))
        .addConditionsItem(new SearchFilter().hasAttachment(true));
    out.put("found", subjects(casella.messages.searchMessages("me", new SearchRequest().filter(either))).stream().sorted().toList());
  }

  static List<Object> sent(Casella casella, Account account) {
    NewDraft draft = new NewDraft().addToItem(new Address().email("bob@example.net")).subject("Grüße 会議").text("Hello");
    DraftRef created = casella.drafts.createDraft("me", draft);
    if (account.getCapabilities().contains("send")) {
      return List.of("sent", casella.sending.sendDraft("me", created.getId()).getAccepted());
    }
    AppendMessageOptions asDraft = new AppendMessageOptions().flags(List.of("$draft"));
    MessageRef appended = casella.messages.appendMessage("me", "drafts", source("draft"), asDraft);
    return List.of("appended", casella.messages.getSource("me", appended.getId()).text());
  }

  static List<String> changed(Casella casella) {
    List<String> seen = new ArrayList<>(), ids = new ArrayList<>();
    casella.events("me", List.of(), null, event -> {
      if (ids.isEmpty()) {
        seen.add(event.type());
        ids.add(casella.messages.appendMessage("me", "inbox", source("event")).getId());
      }
      boolean isNamed = false;
      for (JsonNode id : event.data().path("created")) isNamed |= id.asText().equals(ids.get(0));
      if (isNamed) seen.add(event.type());
      return !isNamed;
    });
    return seen;
  }

  static ListMessagesOptions two() {
    return new ListMessagesOptions().limit(2);
  }

  static BodyPublisher source(String subject) {
    return BodyPublishers.ofString("Subject: " + subject + "\r\n\r\ntext\r\n");
  }

  static List<String> subjects(Page page) {
    return page.getItems().stream().map(MessageSummary::getSubject).toList();
  }

  static ApiProblem refused(Runnable call) {
    try {
      call.run();
    } catch (ApiProblem problem) {
      return problem;
    }
    throw new AssertionError("it was not refused");
  }
}
