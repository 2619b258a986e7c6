// Wake URL USERNAME PASSWORD PUSH KEYS BODY … verifies and renews a subscription by a push, and decrypts another.
import java.security.GeneralSecurityException
import java.util.Base64
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import org.casella.kotlin.Casella
import org.casella.kotlin.Push
import org.casella.kotlin.PushKeys
import org.casella.kotlin.Verification

object Wake {
    @JvmStatic
    fun main(arguments: Array<String>) {
        val casella = Casella(arguments[0], username = arguments[1], password = arguments[2])
        val device = PushKeys(arguments[4])
        val body = Base64.getDecoder().decode(arguments[5])
        val told = runBlocking {
            val confirmed = casella.confirm(Push.read(arguments[3]))!!
            mapOf(
                "confirmed" to JsonPrimitive(confirmed.id),
                "renewed" to list(casella.renew(confirmed), casella.renew(Verification("p_none", "code"))),
                "again" to JsonPrimitive(PushKeys(device.export()).keys == device.keys),
                "decrypted" to list(device.decrypt(body).from, isForAnother(body)),
            )
        }
        println(JsonObject(told))
    }

    private fun isForAnother(body: ByteArray): Boolean = try {
        PushKeys().decrypt(body)
        false
    } catch (_: GeneralSecurityException) {
        true
    }
}
