"""A user's program in the manner of the official SDK's first steps: requests, websocket-client, a microphone.

It knows nothing of the mock. It prints one line for each event, in the words of the installed SDK.
"""

import os
import select
import threading
import time

import requests
import sounddevice as sd
import websocket as ws
from uhlive.auth import build_authentication_request
from uhlive.stream import conversation as h2h

client_id = os.environ["UHLIVE_API_CLIENT"]
auth_url, auth_params = build_authentication_request(client_id, os.environ["UHLIVE_API_SECRET"])
login = requests.post(auth_url, data=auth_params)
login.raise_for_status()

socket = ws.create_connection(h2h.build_conversation_url(login.json()["access_token"]), timeout=10)
conversation = h2h.Conversation(client_id, "first-steps", "Alice")
socket.send(conversation.join(model="fr", country="fr", interim_results=True, origin=int(time.time() * 1000)))
reply = conversation.receive(socket.recv())
assert isinstance(reply, h2h.Ok), reply
print("joined", flush=True)


# Before Python 3.13, a TLS socket that is read with a timeout while another thread writes tells now and then that
# the connection was lost when it was not.
one_at_a_time = threading.Lock()


def on_sound(indata, frame_count, time_info, status):
    with one_at_a_time:
        socket.send_binary(conversation.send_audio_chunk(bytes(indata)))


microphone = sd.RawInputStream(callback=on_sound, channels=1, samplerate=8000, dtype="int16", blocksize=960)
microphone.start()
leaving = False
socket.settimeout(0.2)
while not conversation.left:
    if not microphone.active and not leaving:
        leaving = True
        socket.send(conversation.leave())
    if not (socket.sock.pending() or select.select([socket.sock], [], [], 0.2)[0]):
        continue
    try:
        with one_at_a_time:
            event = conversation.receive(socket.recv())
    except ws.WebSocketTimeoutException:
        continue
    kind = type(event).__name__
    if isinstance(event, h2h.Ok):
        continue
    if kind == "EntityFound":
        print(kind, event.entity_name, event.canonical, event.original, event.value, sep=" | ")
    elif kind == "EntityRecognized":
        print(kind, event.entity_name, event.display, event.source, event.value, sep=" | ")
    elif hasattr(event, "transcript"):
        print(kind, event.utterance_id, event.transcript, len(event.words), event.confidence, sep=" | ")
    elif isinstance(event, getattr(h2h, "AudioSpeechDecoded", ())):
        print(kind, event.id, event.value, len(event.components), event.confidence, sep=" | ")
    else:
        print(kind, event.speaker, repr(event), sep=" | ")
microphone.stop()
socket.close()
print("left", conversation.left)
