#!/usr/bin/env python3
"""Writes signature-v2.json, the test vectors of signature v2.

    python3 generate_v2.py > signature-v2.json

It signs as docs/signature.md says and shares nothing with the Rust code, so that the two check each other. What each
case must end with is written down here by hand.
"""

import base64
import hashlib
import hmac
import json
import struct

SECRET = "s3cret"
NOW = "2026-11-24T09:30:10Z"
SIGNED = ["event-type", "event-id", "event-time", "ordering-key", "content-type"]
EVENT = {
    "event-type": "user.registered",
    "event-id": "01a20ce4-05c0-7c3f-9d5e-0f6a4b1c2d3e",
    "event-time": "2026-11-24T09:30:00Z",
    "content-type": "application/json",
}
DATA = b'{"id":"1","name":"Ada"}'

cases = []


def encode(attributes, data=DATA):
    """M: the pre-authentication encoding of the signed pieces."""
    pieces = [attributes.get(name, "").encode() for name in SIGNED] + [data]
    return struct.pack("<Q", len(pieces)) + b"".join(struct.pack("<Q", len(piece)) + piece for piece in pieces)


def v2_key(secret=SECRET):
    """K2."""
    return hashlib.sha256(b"tidemill-signature-v2:" + secret.encode()).digest()


def v2_mac(attributes, data=DATA, secret=SECRET):
    return hmac.digest(v2_key(secret), encode(attributes, data), "sha256")


def v1(data=DATA, secret=SECRET):
    return hmac.digest(secret.encode(), data, "sha256").hex()


def entry(mac, key_id="k1"):
    return f"v2,{key_id},{base64.b64encode(mac).decode()}"


def event(**changes):
    """The usual attributes, changed (event_type="…"), or without one (event_type=None)."""
    changed = EVENT | {name.replace("_", "-"): value for name, value in changes.items()}
    return {name: value for name, value in changed.items() if value is not None}


def sign(attributes, data=DATA, secret=SECRET, key_id="k1"):
    return attributes | {"signature-v2": entry(v2_mac(attributes, data, secret), key_id)}


def both(attributes, data=DATA):
    return sign(attributes, data) | {"signature": v1(data)}


def case(expect, name, note, attributes, data=DATA, ordering_key=None, keys=None, accept=("v2",), now=NOW, **delivery):
    """Adds a case. `ordering_key` is the one that the broker delivers by."""
    message = {
        "attributes": attributes,
        "data": base64.b64encode(data).decode(),
        "messageId": "1001",
        "publishTime": "2026-11-24T09:30:01Z",
    } | delivery
    if ordering_key is not None:
        message["orderingKey"] = ordering_key
    assert name not in {other["name"] for other in cases}, name
    cases.append({
        "name": name,
        "note": note,
        "keys": keys or {"k1": SECRET},
        "accept": list(accept),
        "now": now,
        "envelope": {"message": message, "subscription": "projects/demo/subscriptions/api-events"},
        "expect": expect,
    })


def text(value, name="malformed", note="", expect="malformed-signature", **rest):
    """A case whose attribute `signature-v2` is this text, over the usual event."""
    case(expect, name, note, event() | {"signature-v2": value}, **rest)


ordered = event(ordering_key="user-1")
good = entry(v2_mac(EVENT))
mac_text = good.removeprefix("v2,k1,")


# What is good.
case("valid", "example", "the example of docs/signature.md", sign(ordered), ordering_key="user-1")
case("valid", "minimal", "no content type, no ordering key", sign(event(content_type=None)))
case("valid", "v2-and-v1", "as publishers sign unless told otherwise", both(event()), accept=["v2", "v1"])
unicode = event(event_type="käufer.registriert", content_type="text/plain; charset=\"☃\"", ordering_key="größe-😀")
case("valid", "unicode", "lengths count UTF-8 bytes, not characters", sign(unicode, "Zoë 😀".encode()), "Zoë 😀".encode(),
     ordering_key="größe-😀")
case("valid", "empty-data", "no data signs like any other", sign(event(), b""), b"")
case("valid", "binary-data", "every byte value", sign(event(), bytes(range(256))), bytes(range(256)))
case("valid", "long-data", "a length of two bytes, 0x012c", sign(event(), b"x" * 300), b"x" * 300)
case("valid", "data-with-spaces", "the data is signed as its bytes are, not as the JSON that they hold",
     sign(event(), b' { "id" : 1 }\n'), b' { "id" : 1 }\n')
case("valid", "empty-content-type", "an empty content type is as good as none",
     sign(event(content_type=None)) | {"content-type": ""})
case("valid", "ordering-key-not-delivered", "a broker that keeps the ordering key to itself: the attribute tells it",
     sign(ordered))
case("valid", "ordering-key-without-attribute", "the delivered key stands for an attribute that is not there",
     event() | {"signature-v2": entry(v2_mac(ordered))}, ordering_key="user-1")
case("valid", "empty-ordering-key", "an empty ordering key is as good as none", sign(event()), ordering_key="")
for name, time in [
    ("offset", "2026-11-24T10:30:00.5+01:00"),
    ("nanoseconds", "2026-11-24T09:30:00.123456789Z"),
    ("zero-offset", "2026-11-24T09:30:00.123456+00:00"),
]:
    case("valid", f"time-with-{name}", "the time is signed as its text stands", sign(event(event_time=time)))
case("valid", "id-not-a-uuid", "an id of any visible ASCII", sign(event(event_id="order/7:paid;2")))
case("valid", "longest-id", "255 bytes", sign(event(event_id="i" * 255)))
for name, secret in [("unicode", "s3cr3t-ü"), ("equals-sign", "a=b="), ("one-byte", "x"), ("long", "long secret, " * 10)]:
    case("valid", f"secret-{name}", "the secret is its UTF-8 bytes", sign(event(), secret=secret), keys={"k1": secret})
case("valid", "several-keys", "the entry names its key", sign(event(), secret="n3w", key_id="k2"),
     keys={"k1": SECRET, "k2": "n3w", "k3": "other"})
longest = "A-z.0_9" * 9 + "x"
case("valid", "longest-key-id", "64 bytes, every kind of character", sign(event(), key_id=longest), keys={longest: SECRET})
new = entry(v2_mac(EVENT, secret="n3w"), "k2")
text(f"{good} {new}", "two-entries", "both known, both good", "valid", keys={"k1": SECRET, "k2": "n3w"})
text(f"{new} {good}", "two-entries-one-unknown", "an entry under an unknown key is passed over", "valid")
text(f"{entry(bytes(32), 'k2')} {good}", "two-entries-one-bad", "one good entry is enough", "valid",
     keys={"k1": SECRET, "k2": "n3w"})
text(f"{entry(bytes(32))} {good}", "one-key-twice", "the second entry of the same key is the good one", "valid")
text(" ".join([new] * 7 + [good]), "eight-entries", "as many as are read", "valid")
text(f"v3,something,else {good} v17,", "later-versions", "entries of other versions are passed over", "valid")

# What is not signed may change.
case("valid", "other-attribute-changed", "further attributes are not signed",
     sign(event() | {"tenant": "acme"}) | {"tenant": "evil"})
case("valid", "delivery-changed", "message id and publish time are the broker's", sign(event()), messageId="2002",
     publishTime="2030-01-01T00:00:00Z")

# What is signed may not.
for name, changed in [
    ("type-relabelled", {"event_type": "user.deleted"}),
    ("type-in-upper-case", {"event_type": "USER.REGISTERED"}),
    ("id-changed", {"event_id": "01a20ce4-05c0-7c3f-9d5e-0f6a4b1c2d3f"}),
    ("id-removed", {"event_id": None}),
    ("time-changed", {"event_time": "2026-11-24T09:30:01Z"}),
    ("time-written-otherwise", {"event_time": "2026-11-24T09:30:00.0Z"}),
    ("content-type-changed", {"content_type": "text/html"}),
    ("content-type-removed", {"content_type": None}),
    ("ordering-key-attribute-added", {"ordering_key": "user-2"}),
]:
    case("invalid-signature", name, "changed after signing", event(**changed) | {"signature-v2": good})
case("invalid-signature", "ordering-key-added", "delivered by a key that was not signed", sign(event()), ordering_key="user-2")
case("invalid-signature", "ordering-key-changed", "attribute and delivered key changed alike",
     sign(ordered) | {"ordering-key": "user-2"}, ordering_key="user-2")
case("invalid-signature", "ordering-key-differs", "delivered by another key than the signed one", sign(ordered),
     ordering_key="user-2")
case("invalid-signature", "ordering-key-removed", "the attribute is gone, and the broker tells none",
     {name: value for name, value in sign(ordered).items() if name != "ordering-key"})
case("invalid-signature", "data-changed", "one byte added", sign(event()), DATA + b" ")
case("invalid-signature", "data-removed", "the data is gone", sign(event()), b"")
case("invalid-signature", "data-normalised", "é in two code points is another text",
     sign(event(), "é".encode()), "e\u0301".encode())
case("invalid-signature", "type-normalised", "é in two code points is another text",
     sign(event(event_type="é")) | {"event-type": "e\u0301"})
names = SIGNED + ["data"]
for left, right in zip(names, names[1:]):
    moved = ordered | {"data": DATA.decode()}
    moved = moved | {left: moved[left][:-1], right: moved[left][-1] + moved[right]}
    data = moved.pop("data").encode()
    case("invalid-signature", f"moved-from-{left}-to-{right}", "the same bytes in a row, parted elsewhere",
         moved | {"signature-v2": entry(v2_mac(ordered))}, data, ordering_key=moved["ordering-key"])
text(entry(bytes([v2_mac(EVENT)[0] ^ 1]) + v2_mac(EVENT)[1:]), "mac-bit-flipped", "one bit of the MAC", "invalid-signature")
text(entry(bytes(32)), "mac-of-zeros", "32 bytes of 0", "invalid-signature")
text(entry(v2_mac(EVENT, secret="other")), "other-secret", "another secret under a known key id", "invalid-signature")
text(entry(v2_mac(EVENT), "k2"), "other-known-key", "a good MAC under the id of another key", "invalid-signature",
     keys={"k1": SECRET, "k2": "n3w"})
text(entry(hmac.digest(SECRET.encode(), encode(EVENT), "sha256")), "v1-signature-of-m",
     "what v1 gives for data that are M: keyed with the secret itself", "invalid-signature")
text(entry(bytes.fromhex(v1())), "v1-signature-of-the-data", "v1's MAC in the form of v2", "invalid-signature")
text(entry(hmac.digest(v2_key(), DATA, "sha256")), "data-alone-signed", "v2's key over the data alone", "invalid-signature")

# The key is not there.
text(new, "unknown-key", "the host doesn't hold k2", "unknown-key")
text(f"{new} {entry(v2_mac(EVENT), 'K1')}", "unknown-keys", "ids are compared to the letter", "unknown-key")
text(f"v3,k1,x {new}", "unknown-key-and-later-version", "the one entry of v2 names no known key", "unknown-key")

# Both signatures, or one of them.
case("not-signed", "unsigned", "no signature at all", event())
case("not-signed", "v2-stripped", "a v1 signature where v2 alone is accepted", event() | {"signature": v1()})
case("not-signed", "v1-not-accepted", "a good v2 where v1 alone is accepted", sign(event()), accept=["v1"])
case("valid", "v2-stripped-where-v1-is-accepted", "what v1 leaves open", event() | {"signature": v1()}, accept=["v2", "v1"])
case("valid", "relabelled-where-v1-is-accepted", "what v1 leaves open: stripped of v2, data pass as another event",
     event(event_type="user.deleted") | {"signature": v1()}, accept=["v2", "v1"])
case("valid", "v1-bad-but-not-accepted", "v1 is not looked at", both(event()) | {"signature": "00"})
case("valid", "v1-bad-but-v2-decides", "v1 is not looked at", both(event()) | {"signature": "00"}, accept=["v2", "v1"])
case("valid", "v2-and-v1-where-v1-alone-is-accepted", "both hold", both(event()), accept=["v1"])
case("invalid-signature", "v1-bad-where-v1-alone-is-accepted", "a good v2 doesn't rescue a v1 that must hold",
     both(event()) | {"signature": "00" * 32}, accept=["v1"])
for accept in [["v2"], ["v2", "v1"], ["v1"]]:
    among = "-".join(accept)
    case("invalid-signature", f"v2-bad-v1-good-accept-{among}", "a good v1 never rescues a bad v2",
         both(event()) | {"event-type": "user.deleted"}, accept=accept)
    case("malformed-signature", f"v2-empty-v1-good-accept-{among}", "there is a v2 signature, and it is none",
         both(event()) | {"signature-v2": ""}, accept=accept)
case("unknown-key", "v2-unknown-v1-good", "v2 decides, so v1 isn't asked",
     sign(event(), key_id="k2") | {"signature": v1()}, accept=["v2", "v1"])
text("v3,k1,x", "later-version-alone", "for this version there is no signature", "not-signed")

# The form.
text("", "empty", "no entry")
text(f"{good}  {good}", "double-space", "one space between entries")
text(f" {good}", "leading-space", "nothing before the first entry")
text(f"{good} ", "trailing-space", "nothing after the last entry")
text(f"{good}\t{good}", "tab", "a space between entries, no other")
text(f"{good},{good}", "comma-between", "a space between entries, no other")
text(" ".join([new] * 8 + [good]), "nine-entries", "one more than is read")
text(v1(), "hex", "v1's form in v2's attribute")
text(mac_text, "mac-alone", "no version, no key id")
text("v2", "version-alone", "no key id, no MAC")
text("v2,k1", "no-mac", "nothing behind the key id")
text("v2,k1,", "empty-mac", "no byte behind the key id")
text(f"v2,{mac_text}", "no-key-id", "the form of Standard Webhooks has no key id")
text(f"v2,,{mac_text}", "empty-key-id", "a key id has a character at least")
text(f"v2,k/1,{mac_text}", "key-id-with-slash", "not among a key id's characters")
text(f"v2,ключ,{mac_text}", "key-id-not-ascii", "not among a key id's characters")
text(f"v2,{'k' * 65},{mac_text}", "key-id-too-long", "65 bytes")
text(f"V2,k1,{mac_text}", "version-in-upper-case", "a version is v and digits")
text(f"2,k1,{mac_text}", "version-without-v", "a version is v and digits")
text(f"v3 {good}", "later-version-without-comma", "every entry has a comma behind its version")
text(f"{good},more", "fourth-part", "nothing behind the MAC")
text(f"v2,k1,{mac_text.replace('=', '')}", "unpadded", "base64 with its padding")
text(f"v2,k1,{mac_text}=", "padded-too-far", "base64 with its padding, no more")
text(f"v2,k1,*{mac_text[1:]}", "no-base64", "a character that base64 hasn't")
url_safe = base64.urlsafe_b64encode(b"\xff" * 32).decode()
text(f"v2,k1,{url_safe}", "url-safe-alphabet", "the standard alphabet, with + and /")
# The last character before the padding has two bits that are no part of the 32 bytes, and must be 0.
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
loose = mac_text[:-2] + ALPHABET[ALPHABET.index(mac_text[-2]) + 1] + "="
text(f"v2,k1,{loose}", "loose-bits", "the same bytes, written in a second way")
text(entry(v2_mac(EVENT)[:31]), "mac-cut", "31 bytes")
text(entry(v2_mac(EVENT)[:16]), "mac-halved", "16 bytes")
text(entry(v2_mac(EVENT) + b"\0"), "mac-lengthened", "33 bytes")
text(f"{good} {entry(b'short')}", "second-entry-malformed", "every entry of v2 has its form")

# What has to be under a good signature.
for name, changes in [("missing", {"event_type": None}), ("empty", {"event_type": ""})]:
    case("missing-event-type", f"type-{name}", "signed so", sign(event(**changes)))
for name, changes in [("missing", {"event_id": None}), ("empty", {"event_id": ""})]:
    case("missing-event-id", f"id-{name}", "signed so", sign(event(**changes)))
for name, bad in [("too-long", "i" * 256), ("with-space", "a b"), ("not-ascii", "é"), ("with-newline", "a\nb")]:
    case("malformed-event-id", f"id-{name}", "1 to 255 visible ASCII characters", sign(event(event_id=bad)))
for name, bad in [
    ("missing", None),
    ("empty", ""),
    ("no-time", "yesterday"),
    ("unix-seconds", "1795512600"),
    ("without-offset", "2026-11-24T09:30:00"),
    ("date-alone", "2026-11-24"),
    ("impossible", "2026-02-30T09:30:00Z"),
]:
    case("malformed-event-time", f"time-{name}", "RFC 3339, with an offset", sign(event(event_time=bad)))

# How old it may be.
case("valid", "oldest", "8 days to the second", sign(event()), now="2026-12-02T09:30:00Z")
case("too-old", "too-old", "8 days and a second", sign(event()), now="2026-12-02T09:30:01Z")
case("valid", "clock-ahead", "5 minutes to the second", sign(event()), now="2026-11-24T09:25:00Z")
case("from-the-future", "from-the-future", "5 minutes and a second", sign(event()), now="2026-11-24T09:24:59Z")
case("invalid-signature", "too-old-and-invalid", "the signature is judged first",
     event() | {"signature-v2": entry(bytes(32))}, now="2026-12-02T09:30:01Z")

if __name__ == "__main__":
    print(json.dumps({
        "scheme": "v2: see docs/signature.md; `now` is the host's clock",
        "max_event_age_seconds": 8 * 24 * 60 * 60,
        "cases": cases,
    }, indent=1, ensure_ascii=False))
