# locate: write=bottle_global.py:16 read=bottle_global.py:15 object=bottle_global.last_user
# run: ["{python}", "bottle_global.py", "{port}"]
# show: {"how": "sequence", "path": "/{canary}"}
"""A module variable that is read before it is set, on bottle's own server."""
import sys

import bottle

last_user = None


@bottle.route("/<user>")
def page(user):
    global last_user
    before = last_user
    last_user = user
    return f"hello {user}, before you: {before}"


if __name__ == "__main__":
    bottle.run(host="127.0.0.1", port=int(sys.argv[1]), quiet=True)
