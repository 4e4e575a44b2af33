"""Who is at the other end is asked once per connection, as NTLM does it, and as proxies that use one connection for many
users do not expect. `/each/` asks for every request."""

import web


async def once(request):
    connection = request.connection
    if not hasattr(connection, "user"):
        connection.user = request.headers.get("authorization", "nobody")
    return f"<p>Signed in as {connection.user}</p>"


async def each(request):
    request.connection.user = request.headers.get("authorization", "nobody")
    return f"<p>Signed in as {request.connection.user}</p>"


web.serve({"/once/": once, "/each/": each})
