"""TF_CONFIG read and checked, and the workers' first meeting."""

import dataclasses
import json
import os

from kerazoo.training.distribution import meeting

EXAMPLE = '{"cluster": {"worker": ["host-a:2222", "host-b:2222"]}, "task": {"type": "worker", "index": 0}}'
_RULE = (
    "TF_CONFIG must hold JSON with the addresses of all workers, the same on each, and this worker's own "
    f"position among them, for example TF_CONFIG='{EXAMPLE}'."
)


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
            timeout: seconds, for everything together.

        Raises:
            TimeoutError: not all came; the message names those who did not.
            ValueError: workers with different lists of addresses.
            OSError: the chief's address is taken, or none of this machine.
        """
        if len(self.workers) == 1:
            return
        try:
            if self.index == 0:
                meeting.receive(self.workers, timeout)
            else:
                meeting.report(self.workers, self.index, timeout)
        except meeting.OtherWorkers as error:
            raise ValueError(f"{_RULE} Received: {error}.") from error


def _is_address(text):
    host, _, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    return bool(host) and port.isdigit() and 0 < int(port) < 65536
