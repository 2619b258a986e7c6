package org.casella.client;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;

/**
 * When a call is repeated by itself: after a lost connection, or if the problem is retryable; never if it could be done twice.
 *
 * @param attempts of one call, the first included
 * @param firstWait the longest wait before the second attempt; each later one may be twice as long
 * @param longestWait if the service wants a longer wait, the problem is thrown
 */
public record Retries(int attempts, Duration firstWait, Duration longestWait) {
  public Retries() {
    this(4, Duration.ofMillis(500), Duration.ofSeconds(30));
  }

  /** With another first wait. */
  public Retries(Duration firstWait) {
    this(4, firstWait, Duration.ofSeconds(30));
  }

  /** How long to wait after this attempt, at random; empty: do not try again. */
  Optional<Duration> wait(int attempt, RuntimeException failure) {
    ApiProblem problem = failure instanceof ApiProblem refused ? refused : null;
    if (problem != null && !problem.retryable() || attempt >= attempts) return Optional.empty();
    Duration asked = problem == null ? Duration.ZERO : problem.retryAfter().orElse(Duration.ZERO);
    if (asked.compareTo(longestWait) > 0) return Optional.empty();
    long most = Math.min(firstWait.toMillis() << Math.min(attempt - 1, 20), longestWait.toMillis());
    return Optional.of(asked.plusMillis(ThreadLocalRandom.current().nextLong(most + 1)));
  }

  /** A stream never gives up if waiting may help. */
  Duration patience(int failures, RuntimeException failure) {
    return new Retries(Integer.MAX_VALUE, firstWait, longestWait).wait(failures, failure).orElse(longestWait);
  }
}
