// Drives Phoenix's own JavaScript client against the mock and prints what it saw as one JSON object.
import { Socket } from "phoenix";
import WebSocket from "ws";

const { SOCKET_URL, TOKEN, CLIENT, SOUND } = process.env;
const topic = `conversation:${CLIENT}@from-javascript`;
const options = { speaker: "Alice", model: "en", country: "us", origin: 0, interim_results: true, wrapper: "test" };
const seen = { opens: 0, frames: [], events: [] };

const outcome = (push, timeout = 5000) =>
  new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`no outcome for ${push.event}`)), timeout).unref();
    for (const status of ["ok", "error", "timeout"]) push.receive(status, (response) => resolve({ status, response }));
  });
const until = async (what, test) => {
  for (let waited = 0; !test(); waited += 10) {
    if (waited > 5000) throw new Error(`waited in vain for ${what}`);
    await new Promise((wake) => setTimeout(wake, 10));
  }
};

const socket = new Socket(`${SOCKET_URL}/socket`, {
  params: { timeout: 3, jwt: TOKEN },
  transport: WebSocket,
  heartbeatIntervalMs: 100,
});
socket.onOpen(() => (seen.opens += 1));
socket.onMessage((message) => seen.frames.push(message));
const named = (event) => seen.frames.filter((frame) => frame.event === event);
const heartbeats = () => seen.frames.filter((frame) => frame.topic === "phoenix" && frame.event === "phx_reply");
socket.connect();

// a topic that nobody serves
const stray = socket.channel("lobby", {});
seen.stray = await outcome(stray.join());
stray.leave();

// join, hear events, keep the socket alive
const channel = socket.channel(topic, options);
channel.onMessage = (event, payload) => {
  seen.events.push(event);
  return payload;
};
seen.join = await outcome(channel.join());
seen.joinRef = channel.joinRef();
await until("two heartbeats", () => heartbeats().length >= 2);

// the same audio as base64 text and as a binary push
const sound = Buffer.from(SOUND, "base64");
const half = sound.length / 2;
channel.push("audio_chunk", { blob: sound.subarray(0, half).toString("base64") });
const rest = sound.subarray(half);
channel.push("audio_chunk", rest.buffer.slice(rest.byteOffset, rest.byteOffset + rest.length));
await until("the segment", () => named("audio_segment_decoded").length === 1);

// a second channel object on the topic takes it over
const again = socket.channel(topic, { ...options, speaker: "Bob" });
seen.rejoin = await outcome(again.join());
seen.rejoinRef = again.joinRef();
again.push("audio_chunk", { blob: sound.toString("base64") });
await until("the second segment", () => named("audio_segment_decoded").length === 2);

// leave, and wait for the last word as the provider's SDK does
again.leave();
await until("speaker_left", () => named("speaker_left").some((frame) => frame.payload.speaker === "Bob"));
seen.left = named("speaker_left").map((frame) => frame.payload.speaker);
seen.heartbeats = heartbeats().length;
seen.segments = named("audio_segment_decoded").map((frame) => [frame.payload.speaker, frame.payload.value]);
seen.joinRefs = [...new Set(named("audio_segment_decoded").map((frame) => frame.join_ref))];
delete seen.frames;
await new Promise((closed) => socket.disconnect(closed));
console.log(JSON.stringify(seen));
process.exit(0);
