"""Clean: a debugging page that shows a request to whoever sent it, in every encoding."""

import base64
import hashlib
import html
import json
import urllib.parse

import web


async def echo(request):
    user = request.headers.get("x-user", "guest")
    raw = user.encode()
    shown = {
        "method": request.method,
        "target": request.target,
        "headers": request.headers,
        "upper": user.upper(),
        "reversed": user[::-1],
        "hex": raw.hex(),
        "base64": base64.b64encode(raw).decode(),
        "base64_of_line": base64.b64encode(b"user=" + raw).decode(),
        "percent": "".join(f"%{byte:02X}" for byte in raw),
        "quoted": urllib.parse.quote(user),
        "entities": "".join(f"&#{byte};" for byte in raw),
        "escaped": html.escape(user),
        "json_in_json": json.dumps({"user": user}),
        "unicode": "".join(f"\\u{byte:04x}" for byte in raw),
        "sha256": hashlib.sha256(raw).hexdigest(),
        "md5": hashlib.md5(raw).hexdigest(),
        "masked": user[:8] + "***",
        "length": len(user),
    }
    return 200, json.dumps(shown, indent=1), {"Content-Type": "application/json", "X-Seen-User": user}


web.serve({"/echo/": echo})
