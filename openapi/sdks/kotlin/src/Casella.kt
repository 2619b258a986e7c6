package org.casella.kotlin

import java.time.Duration
import java.util.concurrent.Executors
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.withContext
import okhttp3.Credentials
import okhttp3.Dispatcher
import okhttp3.OkHttpClient
import org.casella.kotlin.api.AccountsApi
import org.casella.kotlin.api.ChangesApi
import org.casella.kotlin.api.DraftsApi
import org.casella.kotlin.api.FetchesApi
import org.casella.kotlin.api.FoldersApi
import org.casella.kotlin.api.HealthApi
import org.casella.kotlin.api.ImportsApi
import org.casella.kotlin.api.MessagesApi
import org.casella.kotlin.api.SendingApi
import org.casella.kotlin.api.PeopleApi
import org.casella.kotlin.api.PushApi
import org.casella.kotlin.api.SettingsApi
import org.casella.kotlin.api.SessionsApi
import org.casella.kotlin.model.ImportResult
import org.casella.kotlin.model.MessageSummary
import org.casella.kotlin.model.NewImport
import org.casella.kotlin.model.NewSession
import org.casella.kotlin.model.Page
import org.casella.kotlin.model.Session
import org.casella.kotlin.model.SubscriptionCode

/**
 * A client of one service and one session. It may be shared by coroutines.
 *
 * @param url where the service is, such as `https://mail.example.org`
 * @param token of an earlier session
 * @param username is sent with [password] if there is no token
 * @param client the app's own, for its proxies, certificates and interceptors
 * @param onToken is called with each new token, which an app keeps in place of the old one
 */
public class Casella(
    url: String,
    token: String? = null,
    username: String? = null,
    password: String = "",
    retries: Retries = Retries(),
    client: OkHttpClient = defaultClient(),
    onToken: (String) -> Unit = {},
) {
    private val http = Http(url.trimEnd('/'), token, basic(username, password), retries, client, onToken)

    public val accounts: AccountsApi = AccountsApi(http)
    public val changes: ChangesApi = ChangesApi(http)
    public val drafts: DraftsApi = DraftsApi(http)
    public val fetches: FetchesApi = FetchesApi(http)
    public val folders: FoldersApi = FoldersApi(http)
    public val health: HealthApi = HealthApi(http)
    public val imports: ImportsApi = ImportsApi(http)
    public val messages: MessagesApi = MessagesApi(http)
    public val sending: SendingApi = SendingApi(http)
    public val people: PeopleApi = PeopleApi(http)
    public val push: PushApi = PushApi(http)
    public val settings: SettingsApi = SettingsApi(http)
    public val sessions: SessionsApi = SessionsApi(http)

    /** The token in use. */
    public val token: String? get() = http.token

    /** Opens a session; all other calls use its token. */
    public suspend fun signIn(newSession: NewSession): Session =
        sessions.createSession(newSession).also { http.renew(it.token) }

    /** Closes the session's connections and forgets the token, even if the service cannot be reached. */
    public suspend fun signOut() {
        try {
            sessions.deleteSession()
        } finally {
            http.token = null
        }
    }

    /** What [call] gets, or that it is still what [etag] was given for. [call] gets one resource. */
    public suspend fun <T : Any> ifChanged(etag: String?, call: suspend () -> T): Versioned<T> {
        val conditional = Conditional(etag)
        return try {
            val value = withContext(conditional) { call() }
            Versioned(value, conditional.etag, false)
        } catch (_: Unchanged) {
            Versioned(null, conditional.etag, true)
        }
    }

    /** The pages of a list. [call] gets a cursor, which is null for the first page. */
    public fun pages(call: suspend (cursor: String?) -> Page): Flow<Page> = flow {
        var cursor: String? = null
        do {
            val page = call(cursor)
            emit(page)
            cursor = page.nextCursor
        } while (cursor != null)
    }

    /** The messages on all pages of a list. */
    public fun items(call: suspend (cursor: String?) -> Page): Flow<MessageSummary> = flow {
        pages(call).collect { page -> page.items.forEach { emit(it) } }
    }

    /** Verifies the subscription if the push asks for it. Store what is returned, and [renew] with it. */
    public suspend fun confirm(push: Push, account: String = "me"): Verification? =
        push.verification?.also { verify(account, it) }

    /** Lets the subscription live seven days more. False if it has ended: subscribe again. */
    public suspend fun renew(verification: Verification, account: String = "me"): Boolean = try {
        verify(account, verification)
        true
    } catch (problem: ApiProblem) {
        if (problem.status != 404) throw problem
        false
    }

    private suspend fun verify(account: String, verification: Verification) {
        push.verifySubscription(account, verification.id, SubscriptionCode(verification.code))
    }

    /**
     * Imports mail of another mailbox to the end, in as many requests as it takes. If this is broken off, the same import goes on
     * later: nothing is copied twice.
     *
     * @param each gets the result of each request
     */
    public suspend fun importAll(
        newImport: NewImport, account: String = "me", each: (ImportResult) -> Unit = {},
    ): ImportResult {
        var next = newImport
        while (true) {
            val result = imports.importMail(account, next)
            each(result)
            if (result.isDone) return result
            delay(1000L * (result.retryAfter ?: 0))
            next = NewImport(token = result.token, seconds = newImport.seconds)
        }
    }

    /**
     * Changes of the account as they happen, without end: a connection that breaks is opened again behind the last event.
     *
     * @param folders ids or roles; by default all folders
     * @param lastEventId the `id` of the last event that the app has seen
     * @throws ApiProblem if waiting does not help
     */
    public fun events(
        account: String = "me", folders: List<String> = emptyList(), lastEventId: String? = null,
    ): Flow<Event> {
        val call = HttpCall("GET", "/v1/accounts/{account}/events").path("account", account)
        if (folders.isNotEmpty()) call.query("folders", folders.joinToString(","))
        return http.events(call, lastEventId)
    }
}

/** Its threads do not keep a program from ending. */
private fun defaultClient(): OkHttpClient {
    val threads = Executors.newCachedThreadPool { Thread(it, "casella").apply { isDaemon = true } }
    return OkHttpClient.Builder().dispatcher(Dispatcher(threads)).readTimeout(Duration.ofSeconds(60)).build()
}

private fun basic(username: String?, password: String): String? = username?.let { Credentials.basic(it, password, Charsets.UTF_8) }

/** The answer of [Casella.ifChanged]: [value] is null if [isUnchanged]. Give [etag] with the next call. */
public data class Versioned<out T : Any>(val value: T?, val etag: String?, val isUnchanged: Boolean)
