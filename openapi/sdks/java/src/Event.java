package org.casella.client;

import com.fasterxml.jackson.databind.JsonNode;

/** {@code type} is change, resync or ping; {@code id} is the account's token at this event. */
public record Event(String type, JsonNode data, String id) {}
