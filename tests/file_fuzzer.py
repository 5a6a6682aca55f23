"""Mutations of small valid files of every format that kerazoo reads: `python tests/file_fuzzer.py MINUTES [SEED]`.

A case is a format and a number, and always the same. Each must be read, or refused by a `ValueError` or `OSError` of
one line, within seconds, with less than a gigabyte, with nothing written and with the model as it was.
"""

import collections
import contextlib
import faulthandler
import gzip
import io
import os
import sys
import tempfile
import time
import warnings
import zipfile
import zlib
from pathlib import Path

import hostile_files as hostile
import lz4.frame
import numpy as np

MOST_MEMORY, MOST_SECONDS, LONGEST = 2**30, 30, 2000
EXTREMES = (0, 1, 2**7 - 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**48, 2**63 - 1, 2**64 - 1)
ARCHIVES = ("keras weights", "keras model", "pth", "zip", "gallery")
PACKED = {"tar.gz": gzip, "idx.gz": gzip, "csv.gz table": gzip, "joblib": lz4.frame}


class Fuzzer:
    """Valid files of all formats in a folder, mutated and read.

    Attributes:
        counts: {format: {"read" or "refused": cases}}.
        slowest, largest: (seconds, case) and (bytes of memory, case).
    """

    def __init__(self, folder):
        self.folder = folder
        makers = {each[3] for each in hostile.FORMATS.values()} - {None}
        self.models = {None: None} | {maker: maker() for maker in makers}
        self.valid = {}
        for kind, (name, write, _, maker) in hostile.FORMATS.items():
            write(folder / name, self.models[maker])
            self.valid[kind] = (folder / name).read_bytes()
            (folder / name).unlink()
        self.counts = collections.defaultdict(collections.Counter)
        self.slowest = self.largest = (0, None)

    def run(self, kind, number):
        """One case; raises AssertionError over what must not happen, and leaves the file for it."""
        name, _, read, maker = hostile.FORMATS[kind]
        model, path, case = self.models[maker], self.folder / name, f"{kind} {number}"
        rng = np.random.default_rng([zlib.crc32(kind.encode()), number])
        path.write_bytes(self._mutated(rng, kind))
        before = bytes_of(model)
        began = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            error, grown = hostile.memory(lambda: read(path, model))
        seconds = time.perf_counter() - began
        assert error is None or isinstance(error, (ValueError, OSError)), f"{case}: {type(error).__name__}: {error}"
        assert "\n" not in str(error) and len(str(error)) < LONGEST, f"{case}: {error}"
        assert grown < MOST_MEMORY, f"{case}: {grown / 2**20:.0f} MiB"
        assert seconds < MOST_SECONDS, f"{case}: {seconds:.0f} seconds"
        assert list(self.folder.iterdir()) == [path], f"{case}: {sorted(self.folder.iterdir())}"
        assert error is None or bytes_of(model) == before, f"{case}: the model has changed"
        path.unlink()
        self.counts[kind]["read" if error is None else "refused"] += 1
        self.slowest = max(self.slowest, (seconds, case), key=lambda pair: pair[0])
        self.largest = max(self.largest, (grown, case), key=lambda pair: pair[0])

    def _mutated(self, rng, kind):
        """The valid file with other bytes, or with other bytes inside of what packs them."""
        content = self.valid[kind]
        if kind in ARCHIVES and rng.random() < 0.6:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                members = {name: archive.read(name) for name in archive.namelist()}
            changed, target = rng.choice(sorted(members)), io.BytesIO()
            with zipfile.ZipFile(target, "w") as archive:
                for name, data in members.items():
                    archive.writestr(name, mutate(rng, data) if name == changed else data)
            return target.getvalue()
        if kind in PACKED and rng.random() < 0.6:
            return PACKED[kind].compress(mutate(rng, PACKED[kind].decompress(content)))
        return mutate(rng, content)


def bytes_of(model):
    """A model's weights; a mutated file may have put numbers that are equal to nothing into them."""
    return [] if model is None else [weight.tobytes() for weight in model.get_weights()]


def mutate(rng, content):
    """Other bytes: flips, numbers of any width in place of others, parts cut out, doubled or moved, the end cut off."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 7)):
        if not content:
            return bytes(content)
        place, length = int(rng.integers(len(content))), int(rng.integers(1, 40))
        way = rng.integers(8)
        if way == 0:
            content[place] ^= 1 << int(rng.integers(8))
        elif way == 1:
            content[place] = int(rng.integers(256))
        elif way in (2, 3, 4):  # A length, an offset, a count.
            width, order = int(rng.choice([1, 2, 4, 8])), str(rng.choice(["little", "big"]))
            value = EXTREMES[rng.integers(len(EXTREMES))] % 256**width
            content[place : place + width] = value.to_bytes(width, order)
        elif way == 5:
            del content[place : place + length]
        elif way == 6:
            other = int(rng.integers(len(content)))
            content[place:place] = content[other : other + length]
        elif rng.random() < 0.3:
            del content[place:]
    return bytes(content)


@contextlib.contextmanager
def own_folder():
    """A folder that the process works in, and where its temporary files are."""
    before = os.getcwd(), tempfile.tempdir
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        tempfile.tempdir = folder
        try:
            yield Path(folder)
        finally:
            os.chdir(before[0])
            tempfile.tempdir = before[1]


def main(minutes, seed=0):
    faulthandler.enable()
    ends, number = time.monotonic() + 60 * minutes, seed
    with own_folder() as folder:
        fuzzer = Fuzzer(folder)
        while time.monotonic() < ends:
            for kind in fuzzer.valid:
                print(f"\r{kind} {number}", end=" ", file=sys.stderr, flush=True)  # What a crash was in.
                faulthandler.dump_traceback_later(4 * MOST_SECONDS, exit=True)
                fuzzer.run(kind, number)
                faulthandler.cancel_dump_traceback_later()
            number += 1
    for kind, counts in fuzzer.counts.items():
        print(f"{kind:16} {counts['read']:6} read {counts['refused']:6} refused")
    print(f"slowest {fuzzer.slowest[0]:.1f} s ({fuzzer.slowest[1]})")
    print(f"largest {fuzzer.largest[0] / 2**20:.0f} MiB ({fuzzer.largest[1]})")
    print(f"{sum(sum(counts.values()) for counts in fuzzer.counts.values())} files, none of them did harm")


if __name__ == "__main__":
    main(float(sys.argv[1]), *map(int, sys.argv[2:]))
