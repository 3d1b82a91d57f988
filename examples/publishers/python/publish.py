"""Publishes one signed event: KEY=k1=s3cret python3 publish.py URL EVENT_TYPE JSON

URL is a host's /events, or a topic's publish method, …/v1/projects/dev/topics/events:publish. Needs Python 3.9.
"""

import base64, hashlib, hmac, json, os, secrets, struct, sys, time, urllib.error, urllib.request, uuid
from datetime import datetime, timezone

SIGNED = ["event-type", "event-id", "event-time", "ordering-key", "content-type"]


def sign(key_id, secret, attributes, data):
    """The Pub/Sub message of these attributes (texts) and data (bytes), signed by v2 and v1. See docs/signature.md."""
    pieces = [attributes.get(name, "").encode() for name in SIGNED] + [data]
    signed = struct.pack("<Q", len(pieces)) + b"".join(struct.pack("<Q", len(piece)) + piece for piece in pieces)
    v2_key = hashlib.sha256(b"tidemill-signature-v2:" + secret.encode()).digest()
    v2 = base64.b64encode(hmac.digest(v2_key, signed, "sha256")).decode()
    v1 = hmac.digest(secret.encode(), data, "sha256").hex()
    attributes = attributes | {"signature-v2": f"v2,{key_id},{v2}", "signature": v1}
    data = base64.b64encode(data).decode()
    return {"data": data, "attributes": attributes, "orderingKey": attributes.get("ordering-key", "")}


def uuid7():
    """48 bits of milliseconds, the version, 12 random bits, the variant, 62 random bits (RFC 9562)."""
    milliseconds = time.time_ns() // 1_000_000
    return str(uuid.UUID(int=milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)))


if __name__ == "__main__":
    if len(sys.argv) != 4 or "=" not in os.environ.get("KEY", ""):
        sys.exit(__doc__)
    _, url, event_type, data = sys.argv
    attributes = {"event-type": event_type, "event-id": uuid7(), "content-type": "application/json"}
    attributes["event-time"] = datetime.now(timezone.utc).isoformat()
    message = sign(*os.environ["KEY"].split("=", 1), attributes, data.encode())
    body = {"messages": [message]} if url.endswith(":publish") else {"message": message}
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=30).close()
    except urllib.error.HTTPError as error:
        sys.exit(f"refused with {error.code}: {error.read().decode()}")
    print(attributes["event-id"])
