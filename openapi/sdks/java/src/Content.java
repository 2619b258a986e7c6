package org.casella.client;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/** The octets of a part or a message, which are read while they arrive. Close it if they are not read to the end. */
public final class Content implements AutoCloseable {
  private final HttpResponse<InputStream> response;

  Content(HttpResponse<InputStream> response) {
    this.response = response;
  }

  public Optional<String> type() {
    return response.headers().firstValue("Content-Type");
  }

  public Optional<String> etag() {
    return response.headers().firstValue("ETag");
  }

  /** {@code Content-Range}, if only a range was asked for. */
  public Optional<String> range() {
    return response.headers().firstValue("Content-Range");
  }

  public InputStream stream() {
    return response.body();
  }

  public byte[] bytes() {
    try (InputStream octets = stream()) {
      return octets.readAllBytes();
    } catch (IOException broken) {
      throw new UncheckedIOException(broken);
    }
  }

  public String text() {
    return new String(bytes(), StandardCharsets.UTF_8);
  }

  @Override
  public void close() {
    try {
      stream().close();
    } catch (IOException broken) {
      throw new UncheckedIOException(broken);
    }
  }
}
