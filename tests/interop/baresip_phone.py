"""A phone of baresip 4 (by baresip-python): blind and attended transfers, in each role. Debian's baresip 1.0 knows no Replaces.

    baresip_phone.py USER PASSWORD REGISTRAR TRANSPORT CONTROL_PORT

It sends tone.wav of its directory, keeps what it hears in call N in heard-N (16 bits, 8,000 a second), carries out every REFER,
and is driven at 127.0.0.1:CONTROL_PORT as baresip's ctrl_tcp is: netstrings with a JSON object each. Calls are counted from 0, in
the order in which they appear.
"""

import asyncio
import json
import pathlib
import sys

import baresip

USER, PASSWORD, REGISTRAR, TRANSPORT, PORT = sys.argv[1:]
HERE = pathlib.Path.cwd()
# What is read of a call at once, at most: 40 ms.
CHUNK_BYTES = 640


class Phone:
    def __init__(self):
        self.calls = []
        self.writer = None
        self.told = []

    def tell(self, kind, param="", call=None):
        text = json.dumps({"event": True, "type": kind, "param": param, "call": call}).encode()
        self.told.append(b"%d:%s," % (len(text), text))
        if self.writer:
            for event in self.told:
                self.writer.write(event)
            self.told.clear()

    def on_event(self, event):
        numbers = [n for n, call in enumerate(self.calls) if call.handle == event.call]
        self.tell(event.event.name, event.text or "", numbers[0] if numbers else None)

    def add(self, call):
        if all(known.handle != call.handle for known in self.calls):
            self.calls.append(call)
            asyncio.ensure_future(self.listen(call, len(self.calls) - 1))

    async def listen(self, call, number):
        with open(HERE / f"heard-{number}", "wb", buffering=0) as file:
            while call.state is not baresip.CallState.CLOSED:
                try:
                    while heard := call.audio.read(CHUNK_BYTES):
                        file.write(heard)
                except (baresip.AudioNotActive, baresip.AudioRestarted):
                    pass
                await asyncio.sleep(0.02)

    async def obey(self, command, words):
        call = self.calls[int(words[0])] if words and words[0].isdigit() else None
        try:
            if command == "dial":
                self.add(await self.ua.dial(words[0]))
            elif command == "accept":
                await call.answer()
            elif command == "hangup":
                await call.hangup()
            elif command == "transfer":
                await call.transfer(words[1])
            elif command == "attended":
                await call.attended_transfer(self.calls[int(words[1])])
            else:
                raise baresip.BaresipError("an unknown command")
            self.tell("DONE", command)
        except baresip.TransferFailed as failed:
            self.tell("TRANSFER_REFUSED", str(failed.status))
        except baresip.BaresipError as failed:
            self.tell("FAILED", f"{command}: {failed}")

    async def serve(self, reader, writer):
        self.writer = writer
        self.tell("CONTROLLED")
        while length := await reader.readuntil(b":"):
            text = (await reader.readexactly(int(length[:-1]) + 1))[:-1]
            asked = json.loads(text)
            asyncio.ensure_future(self.obey(asked["command"], asked["params"].split()))

    async def run(self):
        runtime = baresip.Runtime()
        await runtime.start(
            baresip.Config(
                net_interface="127.0.0.1",
                audio_source=f"aufile,{HERE}/tone.wav",
                max_concurrent_calls=None,
                sip_trace=True,
                extra_config_text="sip_listen 127.0.0.1:0\n",
            )
        )
        account = baresip.Account(
            user=USER,
            domain="lab.example",
            password=PASSWORD,
            registrar=f"{REGISTRAR};transport={TRANSPORT}",
            transport=TRANSPORT,
            audio_codecs=("pcma", "pcmu"),
        )
        self.ua = await baresip.UserAgent.create(runtime, account, transfer_policy="auto")
        self.ua.on_incoming(self.add)
        self.ua.on_transfer_call(self.add)
        runtime.subscribe(self.on_event)
        await self.ua.register()
        await asyncio.start_server(self.serve, "127.0.0.1", int(PORT))
        print("baresip is ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    import logging

    logging.basicConfig(stream=sys.stdout, level=logging.INFO)
    logging.getLogger("baresip.native.sip").setLevel(logging.DEBUG)
    asyncio.run(Phone().run())
