package org.casella.client;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/** One operation, before it is sent. For the generated code. */
public final class HttpCall {
  private static final String KEY = "Idempotency-Key";
  private static final Set<String> SAFE = Set.of("GET", "HEAD", "PUT", "DELETE");
  private final String method;
  private String path;
  private final List<String> query = new ArrayList<>();
  private final Map<String, String> headers = new LinkedHashMap<>();
  private BodyPublisher body = BodyPublishers.noBody();

  public HttpCall(String method, String path) {
    this.method = method;
    this.path = path.replaceFirst("#.*", "");
  }

  public HttpCall path(String name, String value) {
    path = path.replace("{" + name + "}", encoded(value));
    return this;
  }

  public HttpCall query(String name, Object value) {
    if (value instanceof Iterable<?> values) values.forEach(one -> query(name, one));
    else if (value != null) query.add(encoded(name) + "=" + encoded(value.toString()));
    return this;
  }

  public HttpCall header(String name, Object value) {
    if (value != null) headers.put(name, value.toString());
    return this;
  }

  /** With a key of its own, if the caller gave none. */
  public HttpCall keyed() {
    headers.putIfAbsent(KEY, UUID.randomUUID().toString());
    return this;
  }

  public HttpCall json(Object value) {
    try {
      return octets(BodyPublishers.ofByteArray(Json.MAPPER.writeValueAsBytes(value)), "application/json");
    } catch (JsonProcessingException impossible) {
      throw new IllegalArgumentException(impossible);
    }
  }

  public HttpCall octets(BodyPublisher octets, String type) {
    body = octets;
    return header("Content-Type", type);
  }

  /** Whether a second attempt does nothing twice. */
  boolean isRepeatable() {
    return SAFE.contains(method) || headers.containsKey(KEY);
  }

  HttpRequest.Builder request(String base, String authorization, String etag) {
    String text = query.isEmpty() ? base + path : base + path + "?" + String.join("&", query);
    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(text)).method(method, body);
    headers.forEach(request::header);
    if (authorization != null) request.header("Authorization", authorization);
    if (etag != null) request.header("If-None-Match", etag);
    return request;
  }

  private static String encoded(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
  }
}
