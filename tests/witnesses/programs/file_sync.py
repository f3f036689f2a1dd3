"""A user's program that streams a raw file in the SDK's own rhythm, 8000 bytes every half second.

A thread sends while the main thread listens for the transcription to end, as the SDK's file example does.
PACE shortens the half second.
"""

import os
import sys
import threading
import time

import requests
import websocket as ws
from uhlive.auth import build_authentication_request
from uhlive.stream.conversation import Conversation, Ok, build_conversation_url

client_id = os.environ["UHLIVE_API_CLIENT"]
auth_url, auth_params = build_authentication_request(client_id, os.environ["UHLIVE_API_SECRET"])
token = requests.post(auth_url, data=auth_params).json()["access_token"]
socket = ws.create_connection(build_conversation_url(token), timeout=10)
conversation = Conversation(client_id, "from-a-file", "Bob")
socket.send(conversation.join(model="fr", country="fr"))
assert isinstance(conversation.receive(socket.recv()), Ok)


def send():
    with open(sys.argv[1], "rb") as sound:
        while chunk := sound.read(8000):
            socket.send_binary(conversation.send_audio_chunk(chunk))
            time.sleep(0.5 / float(os.environ.get("PACE", "1")))
    socket.send(conversation.leave())


sender = threading.Thread(target=send)
sender.start()
seen = []
while not conversation.left:
    event = conversation.receive(socket.recv())
    if not isinstance(event, Ok):
        seen.append(type(event).__name__)
sender.join()
socket.close()
print(len(seen), seen[-1])
