package org.casella.kotlin

import java.io.Closeable
import java.io.InputStream
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import okhttp3.Response

/** The octets of a part or a message, which are read while they arrive. Close it if they are not read to the end. */
public class Content internal constructor(private val response: Response) : Closeable {
    public val type: String? get() = response.header("Content-Type")
    public val etag: String? get() = response.header("ETag")

    /** `Content-Range`, if only a range was asked for. */
    public val range: String? get() = response.header("Content-Range")

    public fun stream(): InputStream = response.body.byteStream()

    public suspend fun bytes(): ByteArray = withContext(Dispatchers.IO) { response.body.bytes() }

    public suspend fun text(): String = bytes().decodeToString()

    override fun close(): Unit = response.close()
}
