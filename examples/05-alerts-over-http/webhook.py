"""Stands in for an incoming webhook of Slack: checks each message by Slack's rules and prints its text.

Usage: python3 webhook.py [PORT]
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def problem(body, content_type):
    """What Slack would not take about a message, if anything."""
    if content_type != "application/json":
        return "invalid_payload"
    try:
        message = json.loads(body)
    except ValueError:
        return "invalid_payload"
    if not isinstance(message, dict) or not isinstance(message.get("text", ""), str):
        return "invalid_payload"
    blocks = message.get("blocks", [])
    if not message.get("text") and not blocks:
        return "no_text"
    if not isinstance(blocks, list) or len(blocks) > 50:
        return "invalid_blocks"
    for block in blocks:
        kind = block.get("type") if isinstance(block, dict) else None
        if kind == "section":
            texts, most = [block.get("text")], 3000
        elif kind == "context" and len(block.get("elements", [])) <= 10:
            texts, most = block.get("elements", []), 2000
        else:
            return "invalid_blocks"
        for text in texts:
            if not isinstance(text, dict) or text.get("type") not in ("mrkdwn", "plain_text"):
                return "invalid_blocks"
            if not isinstance(text.get("text"), str) or not 1 <= len(text["text"]) <= most:
                return "invalid_blocks"
    return None


class Webhook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        said = problem(body, self.headers.get("Content-Type"))
        if said is None:
            print(json.loads(body).get("text"), flush=True)
        answer = (said or "ok").encode()
        self.send_response(400 if said else 200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 4575
    ThreadingHTTPServer(("127.0.0.1", port), Webhook).serve_forever()
