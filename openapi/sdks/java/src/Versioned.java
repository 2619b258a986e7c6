package org.casella.client;

/** The answer of {@link Casella#ifChanged}: {@code value} is null if {@code isUnchanged}. Give {@code etag} with the next call. */
public record Versioned<T>(T value, String etag, boolean isUnchanged) {}
