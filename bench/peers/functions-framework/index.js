// The work of every contender, as a function of functions-framework's: decode, verify by version 2, parse the user.
// KEY is ID=SECRET.
'use strict';

const { createHash, createHmac, timingSafeEqual } = require('node:crypto');
const functions = require('@google-cloud/functions-framework');

const [id, secret] = process.env.KEY.split(/=(.*)/s);
const key = createHash('sha256').update('tidemill-signature-v2:').update(secret).digest();
const entry = `v2,${id},`;

function length(count) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(count));
  return bytes;
}

function verifies(attributes, data) {
  const signature = attributes['signature-v2'] ?? '';
  if (!signature.startsWith(entry)) return false;
  const mac = createHmac('sha256', key).update(length(6));
  for (const name of ['event-type', 'event-id', 'event-time', 'ordering-key', 'content-type']) {
    const piece = Buffer.from(attributes[name] ?? '');
    mac.update(length(piece.length)).update(piece);
  }
  const expected = mac.update(length(data.length)).update(data).digest();
  const found = Buffer.from(signature.slice(entry.length), 'base64');
  return found.length === expected.length && timingSafeEqual(found, expected);
}

functions.http('bench', (request, response) => {
  const message = request.body?.message;
  const data = Buffer.from(message?.data ?? '', 'base64');
  if (!verifies(message?.attributes ?? {}, data)) return response.status(403).end();
  const user = JSON.parse(data);
  const whole = [user.id, user.email, user.name].every((field) => typeof field === 'string');
  response.status(whole ? 204 : 422).end();
});
