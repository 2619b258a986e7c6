package org.casella.client;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.SecureRandom;
import java.security.interfaces.ECPrivateKey;
import java.security.interfaces.ECPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPrivateKeySpec;
import java.security.spec.ECPublicKeySpec;
import java.util.Arrays;
import java.util.Base64;
import javax.crypto.Cipher;
import javax.crypto.KeyAgreement;
import javax.crypto.Mac;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.casella.client.model.SubscriptionKeys;

/** The keys of a device whose push service does not decrypt (RFC 8291). */
public final class PushKeys {
  private static final int HEAD = 86;
  private final ECPrivateKey secret;
  private final byte[] point;
  private final byte[] auth;

  private PushKeys(ECPrivateKey secret, byte[] point, byte[] auth) {
    this.secret = secret;
    this.point = point;
    this.auth = auth;
  }

  /** New ones. */
  public static PushKeys create() throws GeneralSecurityException {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    KeyPair pair = generator.generateKeyPair();
    byte[] auth = new byte[16];
    new SecureRandom().nextBytes(auth);
    return new PushKeys((ECPrivateKey) pair.getPrivate(), point((ECPublicKey) pair.getPublic()), auth);
  }

  /** Those that {@link #export} returned. */
  public static PushKeys of(String exported) throws GeneralSecurityException {
    String[] parts = exported.split("\\.");
    BigInteger number = new BigInteger(1, octets(parts[0]));
    ECPrivateKeySpec spec = new ECPrivateKeySpec(number, curve());
    ECPrivateKey secret = (ECPrivateKey) KeyFactory.getInstance("EC").generatePrivate(spec);
    return new PushKeys(secret, octets(parts[1]), octets(parts[2]));
  }

  /** For {@code createSubscription}. */
  public SubscriptionKeys keys() {
    return new SubscriptionKeys().p256dh(text(point)).auth(text(auth));
  }

  /** A secret. */
  public String export() {
    return String.join(".", text(fixed(secret.getS())), text(point), text(auth));
  }

  /** The push in the body of a request (aes128gcm). Throws if it is for another device. */
  public Push decrypt(byte[] body) throws GeneralSecurityException {
    if (body.length < HEAD + 16 || body[20] != 65) throw new GeneralSecurityException("This is no push.");
    byte[] salt = Arrays.copyOfRange(body, 0, 16);
    byte[] sender = Arrays.copyOfRange(body, 21, HEAD);
    KeyAgreement agreement = KeyAgreement.getInstance("ECDH");
    agreement.init(secret);
    agreement.doPhase(publicKey(sender), true);
    byte[] shared = derive(agreement.generateSecret(), auth, joined(info("WebPush: info"), point, sender), 32);
    byte[] key = derive(shared, salt, info("Content-Encoding: aes128gcm"), 16);
    byte[] nonce = derive(shared, salt, info("Content-Encoding: nonce"), 12);
    Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
    cipher.init(Cipher.DECRYPT_MODE, new SecretKeySpec(key, "AES"), new GCMParameterSpec(128, nonce));
    byte[] opened = cipher.doFinal(body, HEAD, body.length - HEAD);
    int end = opened.length;
    while (end > 1 && opened[end - 1] == 0) end--;
    return Push.read(new String(opened, 0, end - 1, StandardCharsets.UTF_8));
  }

  private static ECParameterSpec curve() throws GeneralSecurityException {
    AlgorithmParameters parameters = AlgorithmParameters.getInstance("EC");
    parameters.init(new ECGenParameterSpec("secp256r1"));
    return parameters.getParameterSpec(ECParameterSpec.class);
  }

  private static ECPublicKey publicKey(byte[] point) throws GeneralSecurityException {
    BigInteger x = new BigInteger(1, Arrays.copyOfRange(point, 1, 33));
    BigInteger y = new BigInteger(1, Arrays.copyOfRange(point, 33, 65));
    ECPublicKeySpec spec = new ECPublicKeySpec(new ECPoint(x, y), curve());
    return (ECPublicKey) KeyFactory.getInstance("EC").generatePublic(spec);
  }

  private static byte[] point(ECPublicKey key) {
    return joined(new byte[] {4}, fixed(key.getW().getAffineX()), fixed(key.getW().getAffineY()));
  }

  /** Of exactly 32 octets. */
  private static byte[] fixed(BigInteger number) {
    byte[] octets = joined(new byte[32], number.toByteArray());
    return Arrays.copyOfRange(octets, octets.length - 32, octets.length);
  }

  private static byte[] derive(byte[] secret, byte[] salt, byte[] info, int size) throws GeneralSecurityException {
    return Arrays.copyOf(hmac(hmac(salt, secret), joined(info, new byte[] {1})), size);
  }

  private static byte[] hmac(byte[] key, byte[] octets) throws GeneralSecurityException {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    return mac.doFinal(octets);
  }

  private static byte[] info(String text) {
    return (text + "\0").getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] joined(byte[]... parts) {
    int size = Arrays.stream(parts).mapToInt(part -> part.length).sum();
    byte[] whole = new byte[size];
    int at = 0;
    for (byte[] part : parts) {
      System.arraycopy(part, 0, whole, at, part.length);
      at += part.length;
    }
    return whole;
  }

  private static byte[] octets(String text) {
    return Base64.getUrlDecoder().decode(text);
  }

  private static String text(byte[] octets) {
    return Base64.getUrlEncoder().withoutPadding().encodeToString(octets);
  }
}
