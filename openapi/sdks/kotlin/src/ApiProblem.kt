package org.casella.kotlin

import java.time.Duration
import java.time.Instant
import java.time.ZonedDateTime
import java.time.format.DateTimeFormatter
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.decodeFromJsonElement
import kotlinx.serialization.json.encodeToJsonElement
import kotlinx.serialization.json.jsonObject
import okhttp3.Response
import org.casella.kotlin.model.InvalidValue
import org.casella.kotlin.model.Problem
import org.casella.kotlin.model.Rejected
import org.casella.kotlin.model.UpstreamCause

/** The service, or something before it, refused a call. [type] and [retryable] are for programs, [title] and [detail] for people. */
public class ApiProblem internal constructor(
    /** All members of the error. */
    public val problem: Problem,
    /** How long the service wants a client to wait. */
    public val retryAfter: Duration?,
) : Exception("${problem.status} ${problem.title}: ${problem.detail}") {
    public val type: String get() = problem.type
    public val title: String get() = problem.title
    public val status: Int get() = problem.status
    public val detail: String get() = problem.detail
    public val retryable: Boolean get() = problem.retryable
    public val requestId: String get() = problem.requestId
    public val what: String? get() = problem.what
    public val capability: String? get() = problem.capability
    public val upstream: UpstreamCause? get() = problem.upstream
    public val errors: List<InvalidValue>? get() = problem.errors
    public val recipients: List<Rejected>? get() = problem.recipients

    internal companion object {
        private const val LONGEST_BODY = 1L shl 20
        private val later = setOf(429, 502, 503, 504)

        fun of(response: Response): ApiProblem {
            val body = response.peekBody(LONGEST_BODY).string()
            val isProblem = response.header("Content-Type").orEmpty().startsWith("application/problem+json")
            return ApiProblem(if (isProblem) read(body, unknown(response)) else unknown(response), retryAfter(response))
        }

        private fun read(body: String, unknown: Problem): Problem = try {
            val members = json.encodeToJsonElement(unknown).jsonObject + json.parseToJsonElement(body).jsonObject
            json.decodeFromJsonElement<Problem>(JsonObject(members))
        } catch (_: IllegalArgumentException) {
            unknown
        }

        /** What a proxy says, for one. */
        private fun unknown(response: Response) = Problem(
            type = "about:blank",
            title = response.message.ifEmpty { "HTTP ${response.code}" },
            status = response.code,
            detail = "The answer is not one of Casella's.",
            instance = response.request.url.encodedPath,
            retryable = response.code in later,
            requestId = response.header("X-Request-Id").orEmpty(),
        )

        private fun retryAfter(response: Response): Duration? {
            val value = response.header("Retry-After") ?: return null
            value.toLongOrNull()?.let { return Duration.ofSeconds(maxOf(it, 0)) }
            return runCatching {
                val time = ZonedDateTime.parse(value, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant()
                maxOf(Duration.between(Instant.now(), time), Duration.ZERO)
            }.getOrNull()
        }
    }
}
