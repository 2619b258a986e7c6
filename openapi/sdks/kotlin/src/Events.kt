package org.casella.kotlin

import java.io.IOException
import java.time.Duration
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.launch
import kotlinx.serialization.json.JsonObject
import okhttp3.Call
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.Response
import okio.BufferedSource

/** [type] is `change`, `resync` or `ping`. [id] is the account's token at this event. */
public data class Event(val type: String, val data: JsonObject, val id: String)

/** The service pings more often. */
private val SILENCE = Duration.ofSeconds(90)

/** The events at an address, for clients that have no [Casella]. */
public fun readEvents(
    client: OkHttpClient, request: Request, lastEventId: String? = null, retries: Retries = Retries(),
): Flow<Event> = readEvents(client, { request }, lastEventId, retries) {}

internal fun readEvents(
    client: OkHttpClient, request: () -> Request, lastEventId: String?, retries: Retries, onResponse: (Response) -> Unit,
): Flow<Event> = flow {
    val patient = client.newBuilder().readTimeout(SILENCE).build()
    var last = lastEventId.orEmpty()
    var failures = 0
    while (true) {
        val wait = try {
            val asked = request().newBuilder().header("Accept", "text/event-stream")
            if (last.isNotEmpty()) asked.header("Last-Event-ID", last)
            patient.newCall(asked.build()).answered { response ->
                onResponse(response)
                if (!response.isSuccessful) throw ApiProblem.of(response)
                read(response.body.source()) {
                    failures = 0
                    last = it.id.ifEmpty { last }
                    emit(it)
                }
            }
            retries.firstWait.toMillis()
        } catch (lost: IOException) {
            pause(retries, ++failures, lost)
        } catch (refused: ApiProblem) {
            if (!refused.retryable) throw refused
            pause(retries, ++failures, refused)
        }
        delay(wait)
    }
}.flowOn(Dispatchers.IO)

/** The answer is read to its end, or until the coroutine is cancelled, which ends a read that waits. */
private suspend fun Call.answered(read: suspend (Response) -> Unit) = coroutineScope {
    val ending = launch {
        try {
            awaitCancellation()
        } finally {
            this@answered.cancel()
        }
    }
    try {
        await().use { read(it) }
    } finally {
        ending.cancel()
    }
}

/** A stream never gives up if waiting may help. */
private fun pause(retries: Retries, failures: Int, failure: Exception): Long {
    val patient = retries.copy(attempts = Int.MAX_VALUE)
    return patient.wait(failures, failure) ?: retries.longestWait.toMillis()
}

/** What a stream says (WHATWG HTML, 9.2.6); an event that is cut off is left out. */
private suspend fun read(source: BufferedSource, each: suspend (Event) -> Unit) {
    var type = "message"
    var id = ""
    val data = mutableListOf<String>()
    for (line in lines(source)) {
        val value = line.substringAfter(':', "").removePrefix(" ")
        when (line.substringBefore(':')) {
            "event" -> type = value
            "data" -> data += value
            "id" -> id = value
            "" -> if (line.isEmpty()) {
                val text = data.joinToString("\n")
                if (text.isNotEmpty()) each(Event(type, json.decodeFromString<JsonObject>(text), id))
                type = "message"
                data.clear()
            }
        }
    }
}

/** Without the byte order mark. They end by LF or CRLF: the service sends no bare CR. */
private fun lines(source: BufferedSource): Sequence<String> =
    generateSequence { source.readUtf8Line() }.mapIndexed { index, line -> if (index == 0) line.removePrefix("\uFEFF") else line }
