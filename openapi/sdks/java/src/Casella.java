package org.casella.client;

import java.net.http.HttpClient;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.casella.client.api.AccountsApi;
import org.casella.client.api.ChangesApi;
import org.casella.client.api.DraftsApi;
import org.casella.client.api.FetchesApi;
import org.casella.client.api.FoldersApi;
import org.casella.client.api.HealthApi;
import org.casella.client.api.ImportsApi;
import org.casella.client.api.MessagesApi;
import org.casella.client.api.SendingApi;
import org.casella.client.api.PeopleApi;
import org.casella.client.api.PushApi;
import org.casella.client.api.SettingsApi;
import org.casella.client.api.SessionsApi;
import org.casella.client.model.ImportResult;
import org.casella.client.model.MessageSummary;
import org.casella.client.model.NewImport;
import org.casella.client.model.NewSession;
import org.casella.client.model.Page;
import org.casella.client.model.Session;
import org.casella.client.model.SubscriptionCode;

/**
 * A client of one service and one session. It may be shared by threads. Calls wait for their answers; a lost connection is an
 * {@link java.io.UncheckedIOException}.
 */
public final class Casella {
  public final AccountsApi accounts;
  public final ChangesApi changes;
  public final DraftsApi drafts;
  public final FetchesApi fetches;
  public final FoldersApi folders;
  public final HealthApi health;
  public final ImportsApi imports;
  public final MessagesApi messages;
  public final SendingApi sending;
  public final PeopleApi people;
  public final PushApi push;
  public final SettingsApi settings;
  public final SessionsApi sessions;
  private final Http http;

  /** @param url where the service is, such as {@code https://mail.example.org} */
  public Casella(String url) {
    this(new Builder(url));
  }

  /** @param token of an earlier session */
  public Casella(String url, String token) {
    this(new Builder(url).token(token));
  }

  private Casella(Builder builder) {
    http = new Http(builder.url, builder.token, builder.basic, builder.retries, builder.client, builder.onToken);
    accounts = new AccountsApi(http);
    changes = new ChangesApi(http);
    drafts = new DraftsApi(http);
    fetches = new FetchesApi(http);
    folders = new FoldersApi(http);
    health = new HealthApi(http);
    imports = new ImportsApi(http);
    messages = new MessagesApi(http);
    sending = new SendingApi(http);
    people = new PeopleApi(http);
    push = new PushApi(http);
    settings = new SettingsApi(http);
    sessions = new SessionsApi(http);
  }

  /** The token in use, or null. */
  public String token() {
    return http.token();
  }

  /** Opens a session; all other calls use its token. */
  public Session signIn(NewSession newSession) {
    Session session = sessions.createSession(newSession);
    http.renew(session.getToken());
    return session;
  }

  /** Closes the session's connections and forgets the token, even if the service cannot be reached. */
  public void signOut() {
    try {
      sessions.deleteSession();
    } finally {
      http.forget();
    }
  }

  /** What the call gets, or that it is still what {@code etag} was given for. The call gets one resource, on this thread. */
  public <T> Versioned<T> ifChanged(String etag, Supplier<T> call) {
    return http.ifChanged(etag, call);
  }

  /** The pages of a list. The call gets a cursor, which is null for the first page. */
  public Stream<Page> pages(Function<String, Page> call) {
    return Stream.iterate(call.apply(null), page -> page != null, page -> next(page, call));
  }

  /** The messages on all pages of a list. */
  public Stream<MessageSummary> items(Function<String, Page> call) {
    return pages(call).flatMap(page -> page.getItems().stream());
  }

  private static Page next(Page page, Function<String, Page> call) {
    return page.getNextCursor() == null ? null : call.apply(page.getNextCursor());
  }

  /** Verifies the subscription if the push asks for it. Store what is returned, or null, and {@link #renew} with it. */
  public Push.Verification confirm(Push push) {
    if (push.verification() != null) verify(push.verification());
    return push.verification();
  }

  /** Lets the subscription live seven days more. False if it has ended: subscribe again. */
  public boolean renew(Push.Verification verification) {
    try {
      verify(verification);
      return true;
    } catch (ApiProblem problem) {
      if (problem.status() != 404) throw problem;
      return false;
    }
  }

  private void verify(Push.Verification verification) {
    push.verifySubscription("me", verification.id(), new SubscriptionCode().code(verification.code()));
  }

  /**
   * Imports mail of another mailbox to the end, in as many requests as it takes. If this is broken off, the same import goes on
   * later: nothing is copied twice.
   *
   * @param each gets the result of each request
   */
  public ImportResult importAll(String account, NewImport newImport, Consumer<ImportResult> each)
      throws InterruptedException {
    NewImport next = newImport;
    while (true) {
      ImportResult result = imports.importMail(account, next);
      each.accept(result);
      if (result.getIsDone()) return result;
      if (result.getRetryAfter() != null) Thread.sleep(1000L * result.getRetryAfter());
      next = new NewImport().token(result.getToken()).seconds(newImport.getSeconds());
    }
  }

  /**
   * Changes of the account as they happen, until {@code each} answers false: a connection that breaks is opened again behind the
   * last event. Runs on this thread.
   *
   * @param folders ids or roles; if empty, all folders
   * @param lastEventId the id of the last event that the app has seen, or null
   * @throws ApiProblem if waiting does not help
   */
  public void events(String account, List<String> folders, String lastEventId, Predicate<Event> each) {
    HttpCall call = new HttpCall("GET", "/v1/accounts/{account}/events").path("account", account);
    if (!folders.isEmpty()) call.query("folders", String.join(",", folders));
    http.events(call, lastEventId, each);
  }

  /** What may be set once. */
  public static final class Builder {
    private final String url;
    private String token;
    private String basic;
    private Retries retries = new Retries();
    private HttpClient client = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();
    private Consumer<String> onToken = token -> {};

    public Builder(String url) {
      this.url = url.replaceAll("/+$", "");
    }

    /** Of an earlier session. */
    public Builder token(String token) {
      this.token = token;
      return this;
    }

    /** Are sent if there is no token. */
    public Builder credentials(String username, String password) {
      byte[] octets = (username + ":" + password).getBytes(StandardCharsets.UTF_8);
      basic = "Basic " + Base64.getEncoder().encodeToString(octets);
      return this;
    }

    public Builder retries(Retries retries) {
      this.retries = retries;
      return this;
    }

    /** The app's own, for its proxies and certificates. */
    public Builder client(HttpClient client) {
      this.client = client;
      return this;
    }

    /** Is called with each new token, which an app keeps in place of the old one. */
    public Builder onToken(Consumer<String> onToken) {
      this.onToken = onToken;
      return this;
    }

    public Casella build() {
      return new Casella(this);
    }
  }
}
