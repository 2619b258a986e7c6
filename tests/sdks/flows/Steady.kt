// Steady URL calls a service that fails in turn (tests/sdks/flaky.py), and prints what came of it as JSON.
import java.time.Duration
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import org.casella.kotlin.Casella
import org.casella.kotlin.Retries
import org.casella.kotlin.model.NewFolder

object Steady {
    @JvmStatic
    fun main(arguments: Array<String>) {
        val tokens = mutableListOf<String>()
        val casella = Casella(arguments[0], "one", retries = Retries(firstWait = Duration.ofMillis(10))) { tokens += it }
        val told = runBlocking {
            val created = casella.folders.createFolder("me", NewFolder("Work")).id
            val account = casella.accounts.getAccount("me").username
            val refused = refused { casella.accounts.getAccount("me") }.status
            val proxy = refused { casella.accounts.getAccount("me") }
            mapOf(
                "created" to JsonPrimitive(created),
                "account" to JsonPrimitive(account),
                "tokens" to list(*tokens.toTypedArray()),
                "refused" to JsonPrimitive(refused),
                "proxy" to list(proxy.type, proxy.status),
            )
        }
        println(JsonObject(told))
    }
}
