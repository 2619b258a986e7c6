// Follow URL AUTHORIZATION prints each event as a line of JSON, and the problem that ended it.
import java.time.Duration
import kotlin.system.exitProcess
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import okhttp3.OkHttpClient
import okhttp3.Request
import org.casella.kotlin.ApiProblem
import org.casella.kotlin.Retries
import org.casella.kotlin.json
import org.casella.kotlin.readEvents

object Follow {
    @JvmStatic
    fun main(arguments: Array<String>) {
        val (url, authorization) = arguments
        val request = Request.Builder().url(url).header("Authorization", authorization).build()
        runBlocking {
            try {
                readEvents(OkHttpClient(), request, retries = Retries(firstWait = Duration.ZERO)).collect {
                    println(JsonObject(mapOf("type" to JsonPrimitive(it.type), "data" to it.data, "id" to JsonPrimitive(it.id))))
                }
            } catch (refused: ApiProblem) {
                println(json.encodeToString(refused.problem))
            }
        }
        exitProcess(0) // the threads of this client wait a minute for more work
    }
}
