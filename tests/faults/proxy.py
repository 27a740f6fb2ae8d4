"""A small TCP proxy before each broker: connections cut, slowed or stalled on demand. Runs on a thread of its own."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator, Sequence

CHUNK = 16 * 1024


class Proxy:
    """Forwards ``advertised`` ports to the ports behind them."""

    def __init__(self, ports: Sequence[tuple[int, int]]) -> None:
        """Remember (port to listen on, port to forward to) pairs; `start` listens."""
        self._ports = ports
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True, name="proxy")
        self._open: set[asyncio.StreamWriter] = set()
        self._delay = 0.0
        self._refusing = False
        self._stalled = False
        self._listening = threading.Event()
        self.connections = 0

    def start(self) -> None:
        """Listen, and return once every port does."""
        self._thread.start()
        if not self._listening.wait(10):
            message = f"the proxy could not listen on {[port for port, _ in self._ports]}"
            raise TimeoutError(message)

    def stop(self) -> None:
        """Close everything."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def cut(self, *, seconds: float) -> None:
        """Reset every connection and take no new one for so long."""
        self._refusing = True
        self._loop.call_soon_threadsafe(self._abort)
        time.sleep(seconds)
        self._refusing = False

    @contextlib.contextmanager
    def slowed(self, *, delay: float) -> Iterator[None]:
        """Add a delay to every chunk, in seconds."""
        self._delay = delay
        try:
            yield
        finally:
            self._delay = 0.0

    @contextlib.contextmanager
    def stalled(self) -> Iterator[None]:
        """Keep the sockets open and pass nothing on; what was held back goes on afterwards."""
        self._stalled = True
        try:
            yield
        finally:
            self._stalled = False

    def _abort(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        servers = [self._loop.run_until_complete(self._listen(*pair)) for pair in self._ports]
        self._listening.set()
        self._loop.run_forever()
        for server in servers:
            server.close()
        self._stalled = False
        self._abort()  # ends every pump by itself
        self._loop.run_until_complete(asyncio.sleep(0.2))
        self._loop.close()

    async def _listen(self, port: int, behind: int) -> asyncio.Server:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._accept(reader, writer, behind)

        return await asyncio.start_server(accept, "127.0.0.1", port)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, behind: int) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", behind)
        except OSError:
            writer.transport.abort()
            return
        self.connections += 1
        self._open |= {writer, inner_writer}
        try:
            await asyncio.gather(self._pump(reader, inner_writer), self._pump(inner_reader, writer))
        finally:
            self._open -= {writer, inner_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                if self._delay:
                    await asyncio.sleep(self._delay)
                while self._stalled:  # noqa: ASYNC110 - set from another thread
                    await asyncio.sleep(0.05)
                writer.write(data)
                await writer.drain()
        writer.close()
