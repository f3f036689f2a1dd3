"""The same program as `live_sync.py` for asyncio: aiohttp fetches the token and carries the socket."""

import asyncio
import os
import time

import sounddevice as sd
from aiohttp import ClientSession
from uhlive.auth import build_authentication_request
from uhlive.stream import conversation as h2h


async def blocks():
    """The microphone's blocks as they come, until it hears nothing more."""
    heard = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def on_sound(indata, frame_count, time_info, status):
        loop.call_soon_threadsafe(heard.put_nowait, bytes(indata))

    sound = {"channels": 1, "samplerate": 8000, "dtype": "int16", "blocksize": 960}
    microphone = sd.RawInputStream(callback=on_sound, **sound)
    with microphone:
        while microphone.active or not heard.empty():
            try:
                yield await asyncio.wait_for(heard.get(), 0.2)
            except TimeoutError:
                continue


async def speak(socket, conversation):
    async for block in blocks():
        await socket.send_bytes(conversation.send_audio_chunk(block))
    await socket.send_str(conversation.leave())


async def main():
    client_id = os.environ["UHLIVE_API_CLIENT"]
    auth_url, auth_params = build_authentication_request(client_id, os.environ["UHLIVE_API_SECRET"])
    async with ClientSession() as session:
        async with session.post(auth_url, data=auth_params) as login:
            login.raise_for_status()
            token = (await login.json())["access_token"]
        async with session.ws_connect(h2h.build_conversation_url(token)) as socket:
            conversation = h2h.Conversation(client_id, "first-steps", "Alice")
            origin = int(time.time() * 1000)
            await socket.send_str(conversation.join(model="fr", interim_results=False, origin=origin))
            reply = conversation.receive((await socket.receive()).data)
            assert isinstance(reply, h2h.Ok), reply
            print("joined", flush=True)
            speaking = asyncio.create_task(speak(socket, conversation))
            while not conversation.left:
                event = conversation.receive((await socket.receive()).data)
                if isinstance(event, h2h.Ok):
                    continue
                text = getattr(event, "transcript", None) or getattr(event, "source", None)
                text = text or getattr(event, "original", None) or getattr(event, "value", "")
                print(type(event).__name__, event.speaker, text, sep=" | ")
            await speaking
    print("left", conversation.left)


asyncio.run(main())
