package org.casella.kotlin

import java.math.BigInteger
import java.security.AlgorithmParameters
import java.security.GeneralSecurityException
import java.security.KeyFactory
import java.security.KeyPair
import java.security.KeyPairGenerator
import java.security.SecureRandom
import java.security.interfaces.ECPrivateKey
import java.security.interfaces.ECPublicKey
import java.security.spec.ECGenParameterSpec
import java.security.spec.ECParameterSpec
import java.security.spec.ECPoint
import java.security.spec.ECPrivateKeySpec
import java.security.spec.ECPublicKeySpec
import java.util.Base64
import javax.crypto.Cipher
import javax.crypto.KeyAgreement
import javax.crypto.Mac
import javax.crypto.spec.GCMParameterSpec
import javax.crypto.spec.SecretKeySpec
import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import org.casella.kotlin.model.SubscriptionKeys

/** The first push. Keep it: it renews the subscription, too. */
@Serializable
public data class Verification(val id: String, val code: String)

/** What a push says: that an account has changed, or that the device should be verified. [from] and [subject] come with an alert. */
@Serializable
public data class Push(
    val account: String? = null,
    val token: String? = null,
    val folders: List<String> = emptyList(),
    val at: String? = null,
    @SerialName("from") val from: String? = null,
    val subject: String? = null,
    val signInAgain: Boolean = false,
    val verification: Verification? = null,
) {
    public companion object {
        /** A push as the platform gives it, or the member `casella` of FCM. */
        public fun read(text: String): Push = json.decodeFromString(serializer(), text)
    }
}

/**
 * The keys of a device whose push service does not decrypt (RFC 8291).
 *
 * @param exported what [export] returned, to go on with the same keys; by default new ones
 */
public class PushKeys(exported: String? = null) {
    private val parts: List<ByteArray>? = exported?.split('.')?.map(::octets)
    private val pair: KeyPair = parts?.let { (private, point) -> restored(private, point) } ?: made()
    private val auth: ByteArray = parts?.get(2) ?: ByteArray(16).also { SecureRandom().nextBytes(it) }

    /** For `createSubscription`. */
    public val keys: SubscriptionKeys get() = SubscriptionKeys(text(point(pair.public as ECPublicKey)), text(auth))

    /** A secret. */
    public fun export(): String =
        listOf(fixed((pair.private as ECPrivateKey).s), point(pair.public as ECPublicKey), auth).joinToString(".", transform = ::text)

    /** The push in the body of a request (aes128gcm). Throws [GeneralSecurityException] if it is for another device. */
    public fun decrypt(body: ByteArray): Push {
        if (body.size < 21 + 65 + 16 || body[20].toInt() != 65) throw GeneralSecurityException("This is no push.")
        val salt = body.copyOfRange(0, 16)
        val sender = body.copyOfRange(21, 86)
        val agreement = KeyAgreement.getInstance("ECDH")
        agreement.init(pair.private)
        agreement.doPhase(publicKey(sender), true)
        val info = "WebPush: info\u0000".toByteArray() + point(pair.public as ECPublicKey) + sender
        val secret = derive(agreement.generateSecret(), auth, info, 32)
        val key = derive(secret, salt, "Content-Encoding: aes128gcm\u0000".toByteArray(), 16)
        val nonce = derive(secret, salt, "Content-Encoding: nonce\u0000".toByteArray(), 12)
        val cipher = Cipher.getInstance("AES/GCM/NoPadding")
        cipher.init(Cipher.DECRYPT_MODE, SecretKeySpec(key, "AES"), GCMParameterSpec(128, nonce))
        val opened = cipher.doFinal(body, 86, body.size - 86)
        return Push.read(String(opened, 0, opened.indexOfLast { it.toInt() != 0 }, Charsets.UTF_8))
    }
}

private val CURVE: ECParameterSpec = AlgorithmParameters.getInstance("EC").run {
    init(ECGenParameterSpec("secp256r1"))
    getParameterSpec(ECParameterSpec::class.java)
}

private fun made(): KeyPair = KeyPairGenerator.getInstance("EC").run {
    initialize(ECGenParameterSpec("secp256r1"))
    generateKeyPair()
}

private fun restored(private: ByteArray, point: ByteArray): KeyPair =
    KeyPair(publicKey(point), KeyFactory.getInstance("EC").generatePrivate(ECPrivateKeySpec(BigInteger(1, private), CURVE)))

private fun publicKey(point: ByteArray): ECPublicKey {
    val (x, y) = listOf(1..32, 33..64).map { BigInteger(1, point.sliceArray(it)) }
    return KeyFactory.getInstance("EC").generatePublic(ECPublicKeySpec(ECPoint(x, y), CURVE)) as ECPublicKey
}

private fun point(key: ECPublicKey): ByteArray = byteArrayOf(4) + fixed(key.w.affineX) + fixed(key.w.affineY)

/** Of exactly 32 octets. */
private fun fixed(number: BigInteger): ByteArray = number.toByteArray().let { (ByteArray(32) + it).takeLast(32).toByteArray() }

private fun derive(secret: ByteArray, salt: ByteArray, info: ByteArray, size: Int): ByteArray =
    hmac(hmac(salt, secret), info + 1).copyOf(size)

private fun hmac(key: ByteArray, octets: ByteArray): ByteArray = Mac.getInstance("HmacSHA256").run {
    init(SecretKeySpec(key, "HmacSHA256"))
    doFinal(octets)
}

private fun octets(text: String): ByteArray = Base64.getUrlDecoder().decode(text)

private fun text(octets: ByteArray): String = Base64.getUrlEncoder().withoutPadding().encodeToString(octets)
