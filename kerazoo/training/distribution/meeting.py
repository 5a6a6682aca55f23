"""The workers' first meeting: the chief hears every other worker at its port, then lets all start at once.

A worker sends one line, "kerazoo worker INDEX ADDRESSES", and gets one: "go", or "no ADDRESSES" where the two have
different lists. The port is open to a network: whatever else connects, sends or stays silent is dropped.
"""

import contextlib
import errno
import selectors
import socket
import time

_GREETING = b"kerazoo worker "
_LONGEST = 1 << 16  # bytes of a line: a few thousand addresses
_SHOWN = 1000  # characters of what another machine said, in an error
_SILENCE = 10.0  # seconds in which a connection must have sent its line; a worker tries again
_WAITING = 64  # connections beside those of the workers; the oldest one makes room


class OtherWorkers(ValueError):
    """Two workers with different lists of addresses."""


def receive(workers, timeout):
    """The chief's part: returns when all other workers are there, and tells them so.

    Args:
        workers: "host:port" of each; the chief's own is the first and the only one that is listened at.
        timeout: seconds, for everything together.

    Raises:
        TimeoutError: not all came; the message names those who did not.
        OtherWorkers: a worker has another list.
        OSError: the chief's address is taken, or none of this machine.
    """
    deadline = time.monotonic() + timeout
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for server in _listen(workers[0]):
            stack.enter_context(server)
            selector.register(server, selectors.EVENT_READ)
        meeting = _Meeting(workers, selector)
        stack.callback(meeting.close)
        while len(meeting.arrived) < len(workers) - 1:
            left = deadline - time.monotonic()
            if left <= 0:
                missing = [f"worker {i} ({a})" for i, a in enumerate(workers) if i and i not in meeting.arrived]
                raise TimeoutError(
                    f"All {len(workers)} workers must start within {timeout:g} s of one another. "
                    f"Received: nothing from {', '.join(missing)}."
                )
            for key, _ in selector.select(min(left, 1.0)):
                if key.data is None:
                    meeting.accept(key.fileobj)
                elif key.fileobj in meeting.lines:  # Not dropped earlier in this turn.
                    meeting.read(key.fileobj)
            meeting.drop_silent()
        meeting.start()


class _Meeting:
    """The chief's connections: `lines` of those that have not said who they are, `arrived` workers by index."""

    def __init__(self, workers, selector):
        self.workers, self.selector = workers, selector
        self.arrived = {}  # index -> connection
        self.lines = {}  # connection -> (bytes so far, when it was opened), oldest first; of arrived ones too

    def accept(self, server):
        with contextlib.suppress(OSError):  # It went away again.
            connection, _ = server.accept()
            connection.setblocking(False)
            self.selector.register(connection, selectors.EVENT_READ, data="connection")
            self.lines[connection] = (b"", time.monotonic())
        waiting = [connection for connection in self.lines if connection not in self.arrived.values()]
        if len(waiting) > _WAITING + len(self.workers):
            self.drop(waiting[0])

    def read(self, connection):
        try:
            received = connection.recv(_LONGEST)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        line, opened = self.lines[connection]
        line += received
        self.lines[connection] = (line, opened)
        ours = line.startswith(_GREETING[: len(line)]) and len(line) <= _LONGEST
        line, ended, more = line.partition(b"\n")
        if not received or not ours or more or connection in self.arrived.values():
            self.drop(connection)  # A worker says one line and then listens: it went away, or is none.
        elif ended:
            self.greet(connection, line.removeprefix(_GREETING).decode(errors="replace"))

    def greet(self, connection, said):
        index, _, workers = said.partition(" ")
        known = {str(number): number for number in range(1, len(self.workers))}
        if workers != ",".join(self.workers) and index.isdecimal():
            _say(connection, f"no {','.join(self.workers)}\n")
            raise OtherWorkers(f"{workers[:_SHOWN]!r} on worker {index[:_SHOWN]}, {self.workers} here")
        if index not in known:
            self.drop(connection)
            return
        if known[index] in self.arrived:  # It came again, because its earlier connection broke.
            self.drop(self.arrived[known[index]])
        self.arrived[known[index]] = connection

    def drop(self, connection):
        self.arrived = {index: one for index, one in self.arrived.items() if one is not connection}
        del self.lines[connection]
        self.selector.unregister(connection)
        connection.close()

    def drop_silent(self):
        opened_before = time.monotonic() - _SILENCE
        for connection, (_, opened) in list(self.lines.items()):
            if opened < opened_before and connection not in self.arrived.values():
                self.drop(connection)

    def start(self):
        for connection in self.arrived.values():
            _say(connection, "go\n")

    def close(self):
        for connection in list(self.lines):
            self.drop(connection)


def report(workers, index, timeout):
    """Another worker's part: tells the chief that it is here and returns when all are.

    Args:
        workers: as for `receive`.
        index: this worker's position.
        timeout: seconds, for everything together.

    Raises:
        TimeoutError: the chief did not start, or not let this worker start.
        OtherWorkers: the chief has another list.
    """
    deadline = time.monotonic() + timeout
    last = "no answer"
    while time.monotonic() < deadline:
        try:
            with _connection(workers[0], deadline) as connection:
                _say(connection, f"{_GREETING.decode()}{index} {','.join(workers)}\n")
                answer = _line(connection, deadline)
        except OSError as error:  # The chief is not up yet.
            answer, last = "", str(error) or type(error).__name__
        else:
            last = "the chief went away" if not answer else f"another program answered {answer[:40]!r}"
        if answer == "go":
            return
        if answer.startswith("no "):
            raise OtherWorkers(f"{workers} here, {answer[3:_SHOWN]!r} on the chief")
        time.sleep(max(0.0, min(0.2, deadline - time.monotonic())))
    raise TimeoutError(
        f"All {len(workers)} workers must start within {timeout:g} s of one another. "
        f"Received: no start from the chief, worker 0 ({workers[0]}): {last}."
    )


def _addresses(worker, flags=0):
    host, _, port = worker.rpartition(":")
    return socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=flags)


def _listen(worker):
    """Servers at every address of this machine that the chief's name stands for."""
    servers, reason = [], None
    try:
        for family, *_, address in _addresses(worker, socket.AI_PASSIVE):
            try:
                servers.append(socket.create_server(address[:2], family=family))
                servers[-1].setblocking(False)
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                reason = error
    except OSError as error:
        for server in servers:
            server.close()
        servers, reason = [], error
    if not servers:
        raise OSError(
            "The chief listens at its own address in TF_CONFIG, which must be one of this machine's, with a free port. "
            f"Received: {worker!r} ({reason})."
        )
    return servers


def _connection(worker, deadline):
    """A connection to one of a worker's addresses."""
    reason = OSError("no address")
    for family, kind, protocol, _, address in _addresses(worker):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(_left(deadline))
            connection.connect(address)
            return connection
        except OSError as error:
            connection.close()
            reason = error
    raise reason


def _line(connection, deadline):
    """The line that comes before the deadline, or what came until the other side closed or said too much."""
    received = b""
    while not received.endswith(b"\n") and len(received) <= _LONGEST:
        connection.settimeout(_left(deadline))
        more = connection.recv(_LONGEST)
        if not more:
            break
        received += more
    return received.decode(errors="replace").strip()


def _say(connection, line):
    """Sends a line to who may have gone: that shows elsewhere."""
    with contextlib.suppress(OSError):
        connection.sendall(line.encode())


def _left(deadline):
    """Seconds to the deadline; a socket takes 0 for "do not wait", which is not meant."""
    return max(deadline - time.monotonic(), 0.001)
