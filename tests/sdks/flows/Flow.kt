// What an app does, by the Kotlin SDK, in the steps of openapi/sdks/STEPS.md: Flow URL USERNAME PASSWORD prints what came of it as JSON.
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonPrimitive
import okhttp3.RequestBody.Companion.toRequestBody
import org.casella.kotlin.ApiProblem
import org.casella.kotlin.Casella
import org.casella.kotlin.api.AppendMessageOptions
import org.casella.kotlin.api.GetPartOptions
import org.casella.kotlin.api.ListMessagesOptions
import org.casella.kotlin.model.Account
import org.casella.kotlin.model.Address
import org.casella.kotlin.model.FlagPatch
import org.casella.kotlin.model.Message
import org.casella.kotlin.model.NewDraft
import org.casella.kotlin.model.NewSession
import org.casella.kotlin.model.SearchFilter
import org.casella.kotlin.model.SearchRequest

object Flow {
    @JvmStatic
    fun main(arguments: Array<String>) {
        val (url, username, password) = arguments
        println(runBlocking { JsonObject(steps(Casella(url), NewSession(username = username, password = password))) })
    }
}

private suspend fun steps(casella: Casella, login: NewSession): Map<String, JsonElement> {
    val messages = casella.messages
    casella.signIn(login)
    val account = casella.accounts.getAccount("me")
    val folders = casella.folders.listFolders("me").items
    val pages = casella.pages { messages.listMessages("me", "inbox", ListMessagesOptions(limit = 2, cursor = it)) }.toList()
    val message = messages.getMessage("me", pages.last().items.last().id)
    val first = casella.ifChanged(null) { messages.listMessages("me", "inbox", ListMessagesOptions(limit = 2)) }
    val second = casella.ifChanged(first.etag) { messages.listMessages("me", "inbox", ListMessagesOptions(limit = 2)) }
    val part = message.attachments.first().id
    val range = messages.getPart("me", message.id, part, GetPartOptions(range = "bytes=10-19")).text()
    val whole = messages.getPart("me", message.id, part).bytes()
    val flags = messages.changeFlags("me", message.id, FlagPatch(add = listOf("\$flagged"))).flags
    val either = SearchFilter(
        operator = "OR", conditions = listOf(SearchFilter(subject = "会議"), SearchFilter(hasAttachment = true)),
    )
    val found = messages.searchMessages("me", SearchRequest(filter = either)).items.map { it.subject.orEmpty() }
    return mapOf(
        "signedIn" to list(account.username, account.protocol),
        "folders" to list(*folders.mapNotNull { it.role }.sorted().toTypedArray()),
        "pages" to JsonArray(pages.map { page -> list(*page.items.map { it.subject }.toTypedArray()) }),
        "message" to described(message),
        "unchanged" to list(first.isUnchanged, second.isUnchanged),
        "part" to list(range, whole.size),
        "flags" to list(*flags.sorted().toTypedArray()),
        "found" to list(*found.sorted().toTypedArray()),
        "draft" to sent(casella, account),
        "missing" to missing(casella),
        "event" to changed(casella),
        "signedOut" to signedOut(casella),
    )
}

private fun described(message: Message) = list(
    message.from.first().email, message.body.text, message.receivedAt?.toEpochSecond(), message.attachments.first().name,
)

private suspend fun sent(casella: Casella, account: Account): JsonElement {
    val new = NewDraft(to = listOf(Address(email = "bob@example.net")), subject = "Grüße 会議", text = "Hello")
    val draft = casella.drafts.createDraft("me", new)
    if ("send" in account.capabilities) {
        val submission = casella.sending.sendDraft("me", draft.id)
        return JsonArray(listOf(JsonPrimitive("sent"), list(*submission.accepted.toTypedArray())))
    }
    val source = "Subject: draft\r\n\r\ntext\r\n".toByteArray().toRequestBody()
    val appended = casella.messages.appendMessage("me", "drafts", source, AppendMessageOptions(flags = listOf("\$draft")))
    return list("appended", casella.messages.getSource("me", appended.id!!).text())
}

private suspend fun missing(casella: Casella): JsonElement {
    val problem = refused { casella.messages.getMessage("me", "m_nosuch") }
    val isExplained = problem.requestId.isNotEmpty() && problem.detail.isNotEmpty()
    return list(problem.type, problem.title, problem.status, problem.retryable, isExplained, problem.what)
}

private suspend fun changed(casella: Casella): JsonElement {
    var appended: String? = null
    val seen = mutableListOf<String>()
    casella.events().first { event ->
        if (appended == null) {
            seen += event.type
            val source = "Subject: event\r\n\r\ntext\r\n".toByteArray().toRequestBody()
            appended = casella.messages.appendMessage("me", "inbox", source).id
        }
        val isNamed = event.data["created"]?.jsonArray.orEmpty().any { it.jsonPrimitive.content == appended }
        if (isNamed) seen += event.type
        isNamed
    }
    return list(*seen.toTypedArray())
}

private suspend fun signedOut(casella: Casella): JsonElement {
    casella.signOut()
    return JsonPrimitive(refused { casella.accounts.getAccount("me") }.status)
}

internal suspend fun refused(call: suspend () -> Any): ApiProblem {
    try {
        call()
    } catch (problem: ApiProblem) {
        return problem
    }
    error("it was not refused")
}

internal fun list(vararg values: Any?) = JsonArray(
    values.map {
        when (it) {
            null -> JsonNull
            is Number -> JsonPrimitive(it)
            is Boolean -> JsonPrimitive(it)
            else -> JsonPrimitive(it.toString())
        }
    },
)
