"""The parts of a run that are done, so that a run of many trainings goes on with the next one."""

import json
from pathlib import Path

from kerazoo.json_files import dumps, write_json
from kerazoo.training.callbacks import refuse_change


class Finished:
    """Keeps what each part of a run gave in the folder's `journal.json`; a part that is there is not run again.

    Args:
        folder: the run's.
        configuration: what makes this run this run, JSON types; a journal with another configuration is refused.

    Raises:
        ValueError: the folder's journal has another configuration; the message has the differences.

    Example:

    >>> import tempfile
    >>> from kerazoo.training.finished import Finished
    >>> folder = tempfile.mkdtemp()
    >>> Finished(folder, {"seed": 0}).part("scratch", lambda: {"accuracy": 0.5})
    {'accuracy': 0.5}
    >>> Finished(folder, {"seed": 0}).part("scratch", None)
    {'accuracy': 0.5}
    """

    def __init__(self, folder, configuration):
        self.path, self.configuration = Path(folder) / "journal.json", json.loads(dumps(configuration))
        self.parts = {}
        if self.path.exists():
            known = json.loads(self.path.read_text(encoding="utf-8"))
            refuse_change(known["configuration"], self.configuration, folder)
            self.parts = known["parts"]

    def part(self, name, run):
        """What `run()` gave, JSON types: now, or when the part was run before."""
        if name not in self.parts:
            parts = self.parts | {name: run()}
            write_json({"configuration": self.configuration, "parts": parts}, self.path)
            self.parts = json.loads(dumps(parts))
        return self.parts[name]
