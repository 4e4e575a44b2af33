# locate: write=flask_sse.py:14 read=flask_sse.py:17 object=flask_sse.hub.channels['news']
# run: ["{bin}/flask", "--app", "flask_sse", "run", "--port", "{port}"]
# show: {"how": "sequence", "path": "/stream?user={canary}"}
"""Channels of a hub: messages for one user are put where all read."""
from collections import deque
from flask import Flask, Response, request, stream_with_context


class Hub:
    def __init__(self):
        self.channels = {}

    def publish(self, channel, text):
        self.channels.setdefault(channel, deque(maxlen=5)).append(text)

    def read(self, channel):
        for text in self.channels.get(channel, ()):
            yield f"data: {text}\n\n"


hub = Hub()
app = Flask(__name__)


@app.route("/stream")
def stream():
    hub.publish("news", f"welcome {request.args['user']}")
    return Response(stream_with_context(hub.read("news")), mimetype="text/event-stream")
