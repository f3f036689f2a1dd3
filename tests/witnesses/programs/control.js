// A test in another language: makes a space over HTTP, calls it with Phoenix's own client, asks what was heard.
// It knows nothing but the URL of a running server. Prints what it saw as one JSON object; fails on any mismatch.
import assert from "node:assert/strict";
import { Socket } from "phoenix";
import WebSocket from "ws";

const { CONTROL_URL, CONTROL_TOKEN } = process.env;
const PATIENCE_MS = 20_000;
const CHUNK = 1600; // 100 ms
const SECONDS = 3;

const control = async (method, path, { body, status = 200, as = "json" } = {}) => {
  const headers = CONTROL_TOKEN ? { authorization: `Bearer ${CONTROL_TOKEN}` } : {};
  if (body) headers["content-type"] = "application/json";
  const answer = await fetch(`${CONTROL_URL}/_mock/${path}`, { method, headers, body: body && JSON.stringify(body) });
  assert.equal(answer.status, status, `${method} ${path}: ${answer.status}`);
  return as === "bytes" ? Buffer.from(await answer.arrayBuffer()) : status === 204 ? null : answer[as]();
};
const alarm = setTimeout(() => {
  console.error(`nothing more happened for ${PATIENCE_MS} ms`);
  process.exit(2);
}, PATIENCE_MS);
const outcome = (push) =>
  new Promise((resolve, reject) => {
    push.receive("ok", resolve);
    for (const bad of ["error", "timeout"]) push.receive(bad, (why) => reject(new Error(`${bad}: ${JSON.stringify(why)}`)));
  });

// sound that no silence and no other chunk order could be taken for
const sound = Buffer.alloc(SECONDS * 16000);
for (let i = 0, state = 7; i < sound.length; i += 2) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  sound.writeInt16LE((state >>> 16) - 32768, i);
}

// the chunks of a WAV file by their names
const parseWav = (file) => {
  assert.equal(file.toString("latin1", 0, 4) + file.toString("latin1", 8, 12), "RIFFWAVE");
  assert.equal(file.readUInt32LE(4), file.length - 8);
  const chunks = {};
  for (let at = 12; at < file.length; at += 8 + file.readUInt32LE(at + 4)) {
    chunks[file.toString("latin1", at, at + 4)] = file.subarray(at + 8, at + 8 + file.readUInt32LE(at + 4));
  }
  const format = chunks["fmt "];
  return {
    encoding: format.readUInt16LE(0),
    channels: format.readUInt16LE(2),
    rate: format.readUInt32LE(4),
    bits: format.readUInt16LE(14),
    samples: chunks["data"],
  };
};

const scenario = `
version: 1
speakers:
  Alice:
    - at: 0.5s
      until: 2.5s
      say: hello from node
`;
const made = await control("POST", "spaces", { body: { scenario, vocabulary: "legacy", name: "node" }, status: 201 });
const space = `spaces/${encodeURIComponent(made.space)}`;
const { access_token: jwt } = await control("POST", `${space}/tokens`, { body: { expires_in: 60 } });

// asked before anything is sent: the server answers when it has come
const left = control("GET", `${space}/journal/wait?event=phx_leave&speaker=Alice&conversation=node-1&timeout=20`);

const socket = new Socket(`${made.ws_url}/socket`, { params: { jwt, timeout: 3 }, transport: WebSocket });
// its channel hears nothing after phx_close, and the last word comes later
const gone = new Promise((resolve) => socket.onMessage(({ event }) => event === "speaker_left" && resolve()));
socket.connect();
const channel = socket.channel(`conversation:${made.client_id}@node-1`, { speaker: "Alice", model: "en", country: "us" });
const segment = new Promise((resolve) => channel.on("segment_decoded", resolve));
await outcome(channel.join());
for (let at = 0; at < sound.length; at += CHUNK) {
  channel.push("audio_chunk", { blob: sound.subarray(at, at + CHUNK).toString("base64") });
}
const heard = await segment;
channel.leave();
await gone;
const leave = await left;
await new Promise((closed) => socket.disconnect(closed));

const wav = await control("GET", `${space}/conversations/node-1/speakers/Alice/audio.wav`, { as: "bytes" });
const { samples, ...format } = parseWav(wav);
assert.deepEqual(format, { encoding: 1, channels: 1, rate: 8000, bits: 16 });
assert.ok(samples.equals(sound), `the ${samples.length} bytes heard are not the ${sound.length} sent`);

const claims = {
  transcript_delivered: { text: "hello from node", speaker: "Alice" },
  audio_equals: { wav: wav.toString("base64"), speaker: "Alice" },
  sent: { event: "audio_chunk", times: sound.length / CHUNK },
  not_sent: { event: "audio_chunk", speaker: "Bob" },
};
for (const [claim, body] of Object.entries(claims)) {
  const { holds, message } = await control("POST", `${space}/assert/${claim}`, { body });
  assert.ok(holds, message);
}

const verdict = await control("GET", `${space}/verdict?at_end=true`);
assert.ok(verdict.ok, verdict.problems.map((problem) => problem.text).join("\n"));
const alice = await control("GET", `${space}/conversations/node-1/speakers/Alice`);
const { entries } = await control("GET", `${space}/journal?event=audio_chunk`);
await control("DELETE", space, { status: 204 });
await control("GET", space, { status: 404 });

console.log(
  JSON.stringify({
    sent: sound.length,
    heard: samples.length,
    wav: wav.length,
    format,
    chunks: entries.length,
    seconds: alice.seconds,
    leftCleanly: alice.left_cleanly,
    leave: leave.event,
    words: heard.transcript,
    problems: verdict.problems.length,
  }),
);
clearTimeout(alarm);
process.exit(0);
