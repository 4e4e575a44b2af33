# locate: write=granian_augmented.py:16 read=granian_augmented.py:23 object=granian_augmented.log.text
# run: ["{bin}/granian", "--interface", "asgi", "--port", "{port}", "granian_augmented:app"]
# show: {"how": "sequence", "path": "/?user={canary}"}
"""A text that grows by augmented assignment."""


class Log:
    def __init__(self):
        self.text = ""


log = Log()


def note(line):
    log.text += line + "\n"


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    note(scope["query_string"].decode())
    body = log.text.encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
