package org.casella.kotlin

import java.io.IOException
import java.time.Duration
import kotlin.random.Random

/**
 * When a call is repeated by itself: after a lost connection, or if the problem is retryable; never if it could be done twice.
 *
 * @property attempts of one call, the first included
 * @property firstWait the longest wait before the second attempt; each later one may be twice as long
 * @property longestWait if the service wants a longer wait, the problem is thrown
 */
public data class Retries(
    val attempts: Int = 4,
    val firstWait: Duration = Duration.ofMillis(500),
    val longestWait: Duration = Duration.ofSeconds(30),
) {
    /** How many milliseconds to wait after this attempt, at random; null: do not try again. */
    internal fun wait(attempt: Int, failure: Exception): Long? {
        val asked = when (failure) {
            is ApiProblem -> if (failure.retryable) failure.retryAfter ?: Duration.ZERO else return null
            is IOException -> Duration.ZERO
            else -> return null
        }
        if (attempt >= attempts || asked > longestWait) return null
        val most = minOf(firstWait.toMillis() shl minOf(attempt - 1, 20), longestWait.toMillis())
        return asked.toMillis() + Random.nextLong(most + 1)
    }
}
