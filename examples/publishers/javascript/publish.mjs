// Publishes one signed event: KEY=k1=s3cret node publish.mjs URL EVENT_TYPE JSON
//
// URL is a host's /events, or a topic's publish method, …/v1/projects/dev/topics/events:publish. Needs Node 18.

import { createHash, createHmac, randomBytes } from "node:crypto";
import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SIGNED = ["event-type", "event-id", "event-time", "ordering-key", "content-type"];

/** The Pub/Sub message of these attributes (texts) and data (a Buffer), signed by v2 and v1. See docs/signature.md. */
export function sign(keyId, secret, attributes, data) {
  const pieces = [...SIGNED.map((name) => Buffer.from(attributes[name] ?? "")), data];
  const signed = Buffer.concat([le64(pieces.length), ...pieces.flatMap((piece) => [le64(piece.length), piece])]);
  const v2Key = createHash("sha256").update(`tidemill-signature-v2:${secret}`).digest();
  const v2 = createHmac("sha256", v2Key).update(signed).digest("base64");
  const v1 = createHmac("sha256", secret).update(data).digest("hex");
  attributes = { ...attributes, "signature-v2": `v2,${keyId},${v2}`, signature: v1 };
  return { data: data.toString("base64"), attributes, orderingKey: attributes["ordering-key"] ?? "" };
}

function le64(length) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(length));
  return bytes;
}

/** 48 bits of milliseconds, the version, 12 random bits, the variant, 62 random bits (RFC 9562). */
function uuid7() {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = 0x70 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function fail(reason) {
  console.error(reason);
  process.exit(1);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [url, eventType, data] = process.argv.slice(2);
  const [, keyId, secret] = process.env.KEY?.match(/^([^=]+)=(.+)$/s) ?? [];
  if (!data || !secret) fail("usage: KEY=ID=SECRET node publish.mjs URL EVENT_TYPE JSON");
  const attributes = { "event-type": eventType, "event-id": uuid7(), "content-type": "application/json" };
  attributes["event-time"] = new Date().toISOString();
  const message = sign(keyId, secret, attributes, Buffer.from(data));
  const body = JSON.stringify(url.endsWith(":publish") ? { messages: [message] } : { message });
  const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  if (!answer.ok) fail(`refused with ${answer.status}: ${await answer.text()}`);
  console.log(attributes["event-id"]);
}
