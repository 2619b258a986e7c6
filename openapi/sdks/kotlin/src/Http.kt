package org.casella.kotlin

import java.io.IOException
import java.util.UUID
import kotlin.coroutines.AbstractCoroutineContextElement
import kotlin.coroutines.CoroutineContext
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.delay
import kotlinx.coroutines.suspendCancellableCoroutine
import kotlinx.coroutines.withContext
import kotlinx.serialization.SerializationException
import okhttp3.Call
import okhttp3.Callback
import okhttp3.HttpUrl.Companion.toHttpUrl
import okhttp3.MediaType.Companion.toMediaType
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody
import okhttp3.RequestBody.Companion.toRequestBody
import okhttp3.Response

/** One operation, before it is sent. */
internal class HttpCall(private val method: String, private val template: String) {
    private val segments = mutableMapOf<String, String>()
    private val query = mutableListOf<Pair<String, String>>()
    private val headers = mutableMapOf<String, String>()
    private var body: RequestBody? = null

    /** Whether a second attempt does nothing twice. */
    val isRepeatable: Boolean get() = method in setOf("GET", "HEAD", "PUT", "DELETE") || KEY in headers

    fun path(name: String, value: String): HttpCall = apply { segments[name] = value }

    fun query(name: String, value: Any?): HttpCall = apply {
        (value as? Iterable<*> ?: listOfNotNull(value)).forEach { query += name to it.toString() }
    }

    fun header(name: String, value: Any?): HttpCall = apply { value?.let { headers[name] = it.toString() } }

    fun keyed(): HttpCall = apply { headers.getOrPut(KEY) { UUID.randomUUID().toString() } }

    inline fun <reified T> body(value: T): HttpCall = octets(json.encodeToString(value).toByteArray(), "application/json")

    fun body(octets: RequestBody, type: String): HttpCall = apply {
        body = octets
        if (octets.contentType() == null) headers["Content-Type"] = type
    }

    internal fun octets(octets: ByteArray, type: String): HttpCall = apply { body = octets.toRequestBody(type.toMediaType()) }

    fun request(base: String, authorization: String?, conditional: Conditional?): Request {
        val url = (base + template.substringBefore('#').substringBefore('{')).toHttpUrl().newBuilder()
        val rest = template.substringBefore('#').let { it.drop(it.substringBefore('{').length) }
        if (rest.isNotEmpty()) url.addSegments(rest)
        query.forEach { (name, value) -> url.addQueryParameter(name, value) }
        val request = Request.Builder().url(url.build()).method(method, body ?: empty.takeIf { method == "POST" })
        headers.forEach { (name, value) -> request.header(name, value) }
        authorization?.let { request.header("Authorization", it) }
        conditional?.asked?.let { request.header("If-None-Match", it) }
        return request.build()
    }

    private fun okhttp3.HttpUrl.Builder.addSegments(rest: String) {
        rest.split('/').forEachIndexed { index, part ->
            val value = if (part.startsWith('{')) segments.getValue(part.trim('{', '}')) else part
            if (index == 0) setPathSegment(build().pathSize - 1, value) else addPathSegment(value)
        }
    }

    private companion object {
        const val KEY = "Idempotency-Key"
        val empty = ByteArray(0).toRequestBody()
    }
}

/** Sends calls: with the token, as often as [retries] allows. */
internal class Http(
    private val base: String,
    @Volatile var token: String?,
    private val basic: String?,
    private val retries: Retries,
    private val client: OkHttpClient,
    private val onToken: (String) -> Unit,
) {
    private val authorization: String? get() = token?.let { "Bearer $it" } ?: basic

    suspend inline fun <reified T> value(call: HttpCall): T = answer(call) { response ->
        response.use { decoded { json.decodeFromString<T>(it.body.string()) } }
    }

    suspend fun content(call: HttpCall): Content = answer(call) { Content(it) }

    suspend fun nothing(call: HttpCall): Unit = answer(call) { it.close() }

    fun events(call: HttpCall, lastEventId: String?) =
        readEvents(client, { call.request(base, authorization, null) }, lastEventId, retries, ::renewFrom)

    fun renew(new: String) {
        token = new
        onToken(new)
    }

    internal inline fun <T> decoded(read: () -> T): T = try {
        read()
    } catch (malformed: SerializationException) {
        throw IOException("The answer is malformed.", malformed)
    }

    internal suspend fun <T> answer(call: HttpCall, read: (Response) -> T): T {
        val conditional = currentCoroutineContext()[Conditional]
        var attempt = 0
        while (true) {
            try {
                return once(call, conditional, read)
            } catch (failure: Exception) {
                attempt++
                val wait = if (call.isRepeatable) retries.wait(attempt, failure) else null
                delay(wait ?: throw failure)
            }
        }
    }

    private suspend fun <T> once(call: HttpCall, conditional: Conditional?, read: (Response) -> T): T {
        val response = client.newCall(call.request(base, authorization, conditional)).await()
        try {
            renewFrom(response)
            conditional?.etag = response.header("ETag") ?: conditional.asked
            return withContext(Dispatchers.IO) { if (response.isSuccessful) read(response) else throw failure(response, conditional) }
        } catch (failure: Throwable) {
            response.close() // also if the caller was cancelled meanwhile
            throw failure
        }
    }

    private fun failure(response: Response, conditional: Conditional?): Exception =
        if (response.code == 304 && conditional != null) Unchanged() else ApiProblem.of(response)

    private fun renewFrom(response: Response) {
        response.header("Casella-Token")?.let(::renew)
    }
}

/** That a call is conditional, for all that runs in it. */
internal class Conditional(val asked: String?) : AbstractCoroutineContextElement(Conditional) {
    @Volatile var etag: String? = asked

    companion object Key : CoroutineContext.Key<Conditional>
}

internal class Unchanged : Exception()

internal suspend fun Call.await(): Response = suspendCancellableCoroutine { waiting ->
    waiting.invokeOnCancellation { cancel() }
    enqueue(object : Callback {
        override fun onFailure(call: Call, e: IOException) = waiting.resumeWithException(e)

        override fun onResponse(call: Call, response: Response) = waiting.resume(response) { _, unread, _ -> unread.close() }
    })
}
