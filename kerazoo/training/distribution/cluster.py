"""TF_CONFIG read and checked, and the workers' first meeting."""

import dataclasses
import json
import os
import socket
import time

EXAMPLE = '{"cluster": {"worker": ["host-a:2222", "host-b:2222"]}, "task": {"type": "worker", "index": 0}}'
_RULE = (
    "TF_CONFIG must hold JSON with the addresses of all workers, the same on each, and this worker's own "
    f"position among them, for example TF_CONFIG='{EXAMPLE}'."
)
_GREETING = "kerazoo worker "


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The workers of a training and this process's place among them.

    Args:
        workers: "host:port" of each; the first is the chief.
        index: this process's position in `workers`.
    """

    workers: tuple
    index: int

    @classmethod
    def from_environment(cls):
        """Reads TF_CONFIG.

        Raises:
            ValueError: it is missing, no JSON, or does not name workers and this task.

        Example:

        >>> os.environ["TF_CONFIG"] = EXAMPLE
        >>> Cluster.from_environment().index
        0
        """
        text = os.environ.get("TF_CONFIG")
        if not text:
            raise ValueError(f"{_RULE} Received: no TF_CONFIG in the environment.")
        try:
            config = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"{_RULE} Received: {text!r}, which is no JSON ({error}).") from error

        def refuse(what):
            return ValueError(f"{_RULE} Received: {text!r}, {what}.")

        cluster = config.get("cluster") if isinstance(config, dict) else None
        workers = cluster.get("worker") if isinstance(cluster, dict) else None
        if not isinstance(workers, list) or not workers or not all(_is_address(w) for w in workers):
            raise refuse('where ["cluster"]["worker"] is no list of "host:port"')
        if set(cluster) != {"worker"}:
            raise refuse(f'where "cluster" has {sorted(set(cluster) - {"worker"})} beside "worker"')
        if len(set(workers)) != len(workers):
            raise refuse("where an address stands twice")
        task = config.get("task")
        if not isinstance(task, dict) or task.get("type") != "worker":
            raise refuse('where ["task"]["type"] is not "worker"')
        index = task.get("index")
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(workers):
            raise refuse(f'where ["task"]["index"] is not one of 0 to {len(workers) - 1}')
        return cls(tuple(workers), index)

    def meet(self, timeout):
        """Returns when every worker has come to this point.

        TensorFlow itself waits for a worker that never starts for a very long time, deaf to signals. So
        the workers meet first, at the chief's port, before TensorFlow takes it.

        Args:
            timeout: seconds.

        Raises:
            TimeoutError: not all came; the message names those who did not.
            ValueError: workers with different lists of addresses.
            OSError: the chief's port is taken.
        """
        if len(self.workers) == 1:
            return
        deadline = time.monotonic() + timeout
        if self.index == 0:
            self._receive(deadline, timeout)
        else:
            self._report(deadline, timeout)

    def _receive(self, deadline, timeout):
        """The chief: hears every other worker, then answers all at once."""
        arrived = {}
        port = int(self.workers[0].rpartition(":")[2])
        with socket.create_server(("", port)) as server:
            try:
                while len(arrived) < len(self.workers) - 1:
                    server.settimeout(_left(deadline))
                    connection, _ = server.accept()
                    connection.settimeout(_left(deadline))
                    greeting = connection.makefile().readline().removeprefix(_GREETING)
                    index, _, workers = greeting.strip().partition(" ")
                    if workers != ",".join(self.workers):
                        connection.sendall(f"no {','.join(self.workers)}\n".encode())
                        connection.close()
                        if greeting.strip():
                            raise ValueError(f"{_RULE} Received: {workers!r} on worker {index}, {self.workers} here.")
                        continue
                    arrived[int(index)] = connection
                for connection in arrived.values():
                    connection.sendall(b"go\n")
            except TimeoutError as error:
                missing = [
                    f"worker {i} ({address})" for i, address in enumerate(self.workers) if i not in arrived and i != 0
                ]
                raise TimeoutError(
                    f"All {len(self.workers)} workers must start within {timeout:g} s of one another. "
                    f"Received: nothing from {', '.join(missing)}."
                ) from error
            finally:
                for connection in arrived.values():
                    connection.close()

    def _report(self, deadline, timeout):
        """Another worker: tells the chief that it is here and waits for the answer."""
        host, _, port = self.workers[0].rpartition(":")
        last = "no answer"
        while time.monotonic() < deadline:
            try:
                with socket.create_connection((host.strip("[]"), int(port)), timeout=_left(deadline)) as connection:
                    connection.sendall(f"{_GREETING}{self.index} {','.join(self.workers)}\n".encode())
                    connection.settimeout(_left(deadline))
                    answer = connection.makefile().readline().strip()
            except OSError as error:  # The chief is not up yet.
                last = str(error)
                time.sleep(0.2)
                continue
            if answer == "go":
                return
            if answer.startswith("no "):
                raise ValueError(f"{_RULE} Received: {self.workers} here, {answer[3:]!r} on the chief.")
            last = "the chief went away"
            time.sleep(0.2)
        raise TimeoutError(
            f"All {len(self.workers)} workers must start within {timeout:g} s of one another. "
            f"Received: no start from the chief, worker 0 ({self.workers[0]}): {last}."
        )


def _left(deadline):
    """Seconds to the deadline; a socket takes 0 for "do not wait", which is not meant."""
    return max(deadline - time.monotonic(), 0.001)


def _is_address(text):
    host, _, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    return bool(host) and port.isdigit() and 0 < int(port) < 65536
