"""Training on more than one device or process: real processes on 127.0.0.1, equal to one process's training."""

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from kerazoo.training import distribution
from kerazoo.training.distribution.cluster import EXAMPLE, Cluster

WORKER = Path(__file__).with_name("distribution_worker.py")
TIMEOUT = 900  # seconds, for what takes ten on an idle machine: starved ones have taken forty times that

# The same sums of float32 gradients in another order: the last bits differ, by about 1e-7 after twelve steps.
TOLERANCE = 1e-5


@pytest.fixture
def start():
    """Starts worker processes; whatever the test does, none is left."""
    processes = []

    def start_one(job, **environment):
        environment = {"TF_NUM_INTRAOP_THREADS": "1", "OMP_NUM_THREADS": "1", **environment}
        clean = {key: value for key, value in os.environ.items() if key != "TF_CONFIG"}
        process = subprocess.Popen(
            [sys.executable, str(WORKER), json.dumps(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean | environment,
        )
        processes.append(process)
        return process

    yield start_one
    for process in processes:
        process.kill()  # TensorFlow's servers are deaf to anything milder.
        process.communicate()


def facts(process):
    """What a process said, when it has ended well."""
    output, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, errors[-3000:]
    said = {}
    for line in output.splitlines():
        said |= json.loads(line) if line.startswith("{") else {"announced": line}
    return said


def free_addresses(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return addresses


def start_cluster(start, folder, outputs, stops=(False, False)):
    job = {"do": "train", "strategy": "multi_worker", "folder": str(folder)}
    return start_jobs(start, [job | {"output": str(output), "stops": stop} for output, stop in zip(outputs, stops)])


def start_jobs(start, jobs):
    """A process for each job, all of one cluster."""
    addresses = free_addresses(len(jobs))
    return [
        start(
            job,
            TF_CONFIG=json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}),
        )
        for index, job in enumerate(jobs)
    ]


def weights(path):
    with np.load(path) as arrays:
        return [arrays[name] for name in arrays.files]


def assert_equal_weights(ours, expected):
    assert len(ours) == len(expected)
    for one, two in zip(ours, expected):
        np.testing.assert_allclose(one, two, rtol=0, atol=TOLERANCE)


def test_two_workers_equal_one_process_also_after_a_kill(start, tmp_path):
    """Two workers end with one process's weights; so do two of which one was killed and all were restarted."""
    alone = start(
        {"do": "train", "strategy": None, "folder": str(tmp_path / "one"), "output": str(tmp_path / "one.npz")}
    )
    outputs = [tmp_path / "worker0.npz", tmp_path / "worker1.npz"]
    pair = start_cluster(start, tmp_path / "pair", outputs)
    expected, chief, other = facts(alone), *map(facts, pair)
    reference = weights(tmp_path / "one.npz")
    for output in outputs:
        assert_equal_weights(weights(output), reference)

    assert (chief["chief"], other["chief"]) == (True, False)
    assert Path(chief["folder"]) == tmp_path / "pair"
    assert not Path(other["folder"]).is_relative_to(tmp_path), "only the chief writes to the run's folder"
    assert not Path(other["folder"]).exists(), "the other's folder goes with its process"
    assert chief["announced"] == "Strategy multi_worker: 2 replicas train; steps_per_execution is 1 and XLA is off."
    for said in (chief, other):
        assert (said["steps_per_execution"], said["jit_compile"]) == (1, False)
        assert said["epochs"] == [0, 1, 2]
        np.testing.assert_allclose(said["losses"], expected["losses"], rtol=TOLERANCE)
        np.testing.assert_allclose(said["evaluated"], expected["evaluated"], rtol=TOLERANCE)
        np.testing.assert_allclose(said["predicted"], expected["predicted"], atol=1e-4)  # logits of a few units
    np.testing.assert_allclose(chief["alone"], expected["evaluated"], rtol=TOLERANCE)
    np.testing.assert_allclose(chief["saved"], expected["evaluated"], rtol=TOLERANCE)

    outputs = [tmp_path / "again0.npz", tmp_path / "again1.npz"]
    survivor, victim = start_cluster(start, tmp_path / "killed", outputs, stops=(False, True))
    assert json.loads(victim.stdout.readline()) == {"stopped": True}
    victim.send_signal(signal.SIGKILL)
    victim.wait(TIMEOUT)
    _, errors = survivor.communicate(timeout=TIMEOUT)
    assert survivor.returncode == 1
    assert "ConnectionError: A multi-worker training needs every worker" in errors, errors[-3000:]
    assert not any(output.exists() for output in outputs), "killed before the end"
    resumed = [facts(process) for process in start_cluster(start, tmp_path / "killed", outputs)]
    assert [said["epochs"] for said in resumed] == [[1, 2]] * 2, "the first epoch is not trained twice"
    for output in outputs:
        assert_equal_weights(weights(output), reference)


def test_two_devices_equal_one(start):
    said = facts(start({"do": "mirrored"}))
    assert said["replicas"] == 2
    assert said["differences"]["mlp"] < TOLERANCE
    assert said["differences"]["synchronized_batch_norm"] < TOLERANCE
    # Each replica's own batch statistics: not one device's training, by construction.
    assert said["differences"]["batch_norm"] > 10 * TOLERANCE


def test_data_service_brings_every_example_once(start):
    said = facts(start({"do": "serve_and_fit"}))
    assert said["same"] == [True, True]
    assert said["sizes"] == [8] * 6 + [2]
    assert said["losses"][1] < said["losses"][0]
    assert "at least one worker" in said["without_worker"]


@pytest.mark.slow
def test_two_workers_share_a_data_service(start, tmp_path):
    service = pytest.importorskip("tensorflow").data.experimental.service
    dispatcher = service.DispatchServer()
    address = dispatcher.target.partition("://")[2]
    servers = [service.WorkerServer(service.WorkerConfig(dispatcher_address=address)) for _ in range(2)]
    jobs = [{"do": "train_from_service", "address": address, "output": str(tmp_path / f"{i}.npz")} for i in range(2)]
    one, two = map(facts, start_jobs(start, jobs))
    assert_equal_weights(weights(tmp_path / "0.npz"), weights(tmp_path / "1.npz"))
    assert one["steps"] == two["steps"] and one["losses"] == pytest.approx(two["losses"])
    assert one["losses"][-1] < one["losses"][0] and len(servers) == 2


def test_data_service_served_by_commands(start, tmp_path):
    """The documented commands start a dispatcher and a worker that knows it."""
    command = [sys.executable, "-m", "kerazoo.training.distribution.serve_data"]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True, "cwd": WORKER.parent.parent}
    with subprocess.Popen([*command, "dispatcher"], **options) as dispatcher:
        try:
            port = dispatcher.stdout.readline().split()[-1]
            with subprocess.Popen([*command, "worker", "--dispatcher", f"127.0.0.1:{port}"], **options) as worker:
                try:
                    assert worker.stdout.readline() == f"worker serves for 127.0.0.1:{port}\n"
                finally:
                    worker.kill()
        finally:
            dispatcher.kill()


def test_dead_data_service_is_an_error():
    tf = pytest.importorskip("tensorflow")
    (address,) = free_addresses(1)
    with pytest.raises(ConnectionError, match=f"{address}', where nothing answers"):
        distribution.distribute_dataset(tf.data.Dataset.range(4).batch(2), address)
    with pytest.raises(ValueError, match="HOST:PORT.*Received: 'nowhere'"):
        distribution.distribute_dataset(tf.data.Dataset.range(4).batch(2), "nowhere")


def test_a_strategy_after_tensorflow_started_is_an_error(monkeypatch):
    tf = pytest.importorskip("tensorflow")
    tf.zeros(1)
    config = {"cluster": {"worker": free_addresses(1)}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    with pytest.raises(RuntimeError, match="before TensorFlow runs anything"):
        distribution.create("multi_worker", start_timeout=1)


def test_unknown_strategy():
    with pytest.raises(ValueError, match="Did you mean 'mirrored'.*Received: 'miror'"):
        distribution.create("miror")


def test_no_strategy_changes_nothing(tmp_path):
    with distribution.scope(None) as strategy:
        assert strategy is None
    assert distribution.is_chief()
    assert distribution.own_folder(tmp_path) == tmp_path
    assert distribution.from_chief(b"as it is") == b"as it is"


def test_arguments():
    parser = argparse.ArgumentParser()
    distribution.add_arguments(parser)
    args = parser.parse_args(["--strategy", "multi_worker", "--data-service", "a:1"])
    assert (args.strategy, args.data_service) == ("multi_worker", "a:1")
    assert parser.parse_args([]).strategy is None


def test_tf_config_is_read(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", EXAMPLE)
    assert Cluster.from_environment() == Cluster(("host-a:2222", "host-b:2222"), 0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "no TF_CONFIG in the environment"),
        ("{", "which is no JSON"),
        ("[]", "is no list of"),
        ('{"cluster": {"worker": []}}', "is no list of"),
        ('{"cluster": {"worker": ["host"]}, "task": {"type": "worker", "index": 0}}', "is no list of"),
        ('{"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 0}}', "stands twice"),
        ('{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}', "has .'ps'."),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}', 'is not "worker"'),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "is not one of 0 to 0"),
    ],
)
def test_malformed_tf_config(monkeypatch, text, reason):
    if text is None:
        monkeypatch.delenv("TF_CONFIG", raising=False)
    else:
        monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match=f"for example TF_CONFIG=.*Received: .*{reason}"):
        Cluster.from_environment()


def meet(clusters, timeout):
    """The outcome of `meet` on each: None or the exception."""
    outcomes = [None] * len(clusters)

    def run(position):
        try:
            clusters[position].meet(timeout)
        except Exception as error:  # noqa: BLE001 - handed to the test
            outcomes[position] = error

    threads = [threading.Thread(target=run, args=(position,)) for position in range(len(clusters))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
        assert not thread.is_alive()
    return outcomes


def test_workers_meet():
    addresses = tuple(free_addresses(3))
    assert meet([Cluster(addresses, index) for index in (2, 0, 1)], timeout=30) == [None] * 3


def test_a_worker_that_never_starts_is_named():
    addresses = tuple(free_addresses(3))
    chief, other = meet([Cluster(addresses, 0), Cluster(addresses, 2)], timeout=5)
    assert isinstance(chief, TimeoutError)
    assert f"nothing from worker 1 ({addresses[1]})." in str(chief)
    assert isinstance(other, TimeoutError)
    assert "no start from the chief" in str(other)


def send(stop, address, *parts):
    """Talks to the chief as a stranger: sends the parts, again and again where it is dropped, and then stays silent."""
    host, _, port = address.rpartition(":")
    while not stop.is_set():
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.settimeout(0.1)
            for part in parts:
                connection.sendall(part)
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    if not connection.recv(1000):
                        break
        time.sleep(0.05)


STRANGERS = {
    "silent": [b""],
    "half a line": [b"kerazoo wor"],
    "a line without end": [b"kerazoo worker 1 " + b"x" * 3_000_000],
    "an HTTP probe": [b"GET /healthz HTTP/1.1\r\nHost: chief\r\n\r\n"],
    "binary": [bytes(range(256)) * 10],
    "an empty line": [b"\n"],
    "a chief": [b"kerazoo worker 0 LIST\n"],
    "a worker too many": [b"kerazoo worker 7 LIST\n"],
    "no worker": [b"kerazoo worker one LIST\n"],
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_strangers_at_the_chiefs_port_are_ignored(kind):
    """They come before the workers and stay; the workers meet none the less, at once."""
    addresses, stop = tuple(free_addresses(3)), threading.Event()
    parts = [part.replace(b"LIST", ",".join(addresses).encode()) for part in STRANGERS[kind]]
    strangers = [threading.Thread(target=send, args=(stop, addresses[0], *parts)) for _ in range(3)]
    outcomes = [None] * 3

    def come(index):
        try:
            time.sleep(0.5 * index)
            outcomes[index] = Cluster(addresses, index).meet(60) or "met"
        except Exception as error:  # noqa: BLE001 - handed to the test
            outcomes[index] = error

    workers = [threading.Thread(target=come, args=(index,)) for index in range(3)]
    began = time.monotonic()
    for thread in strangers + workers:
        thread.start()
    for thread in workers:
        thread.join(TIMEOUT)
    taken = time.monotonic() - began
    stop.set()
    for thread in strangers:
        thread.join(TIMEOUT)
    assert outcomes == ["met"] * 3
    assert taken < 30


def test_more_strangers_than_are_kept_do_not_keep_a_worker_out(monkeypatch):
    from kerazoo.training.distribution import meeting

    monkeypatch.setattr(meeting, "_WAITING", 2)
    addresses = tuple(free_addresses(2))
    host, _, port = addresses[0].rpartition(":")
    chief = threading.Thread(target=Cluster(addresses, 0).meet, args=(30,))
    chief.start()
    with contextlib.ExitStack() as stack:
        for _ in range(12):
            for _attempt in range(100):  # Until the chief listens.
                with contextlib.suppress(ConnectionRefusedError):
                    stack.enter_context(socket.create_connection((host, int(port)), timeout=5))
                    break
                time.sleep(0.1)
        assert Cluster(addresses, 1).meet(30) is None
        chief.join(30)
        assert not chief.is_alive()


@pytest.mark.parametrize("kind", STRANGERS)
def test_the_deadline_holds_whoever_connects(kind):
    """A silent connection, or one that sends for ever, does not hold the chief beyond its time."""
    addresses, stop = tuple(free_addresses(2)), threading.Event()
    parts = [part.replace(b"LIST", ",".join(addresses).encode()) for part in STRANGERS[kind]]
    stranger = threading.Thread(target=send, args=(stop, addresses[0], *parts))
    stranger.start()
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=f"nothing from worker 1 .{addresses[1]}.\\."):
        Cluster(addresses, 0).meet(1.0)
    taken = time.monotonic() - began
    stop.set()
    stranger.join(TIMEOUT)
    assert taken < 10


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"x" * 1_000_000], ids=len)
def test_another_program_in_the_chiefs_place_is_no_chief(says):
    addresses = tuple(free_addresses(2))
    host, _, port = addresses[0].rpartition(":")
    stop = threading.Event()

    def serve(server):
        while not stop.is_set():
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    connection.sendall(says)
                    stop.wait(0.2)

    with socket.create_server((host, int(port))) as server:
        server.settimeout(0.1)
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        with pytest.raises(TimeoutError, match="no start from the chief"):
            Cluster(addresses, 1).meet(1.0)
        stop.set()
        thread.join(TIMEOUT)


def test_a_worker_that_went_away_does_not_count():
    """One greets and dies; the chief waits for the one that is started again, and starts with that."""
    addresses = tuple(free_addresses(3))
    host, _, port = addresses[0].rpartition(":")
    outcome = []
    chief = threading.Thread(target=lambda: outcome.append(Cluster(addresses, 0).meet(60)))
    chief.start()
    for _ in range(100):
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection((host, int(port))) as connection:
            connection.sendall(f"kerazoo worker 1 {','.join(addresses)}\n".encode())
            time.sleep(0.3)
            break
        time.sleep(0.1)
    other = threading.Thread(target=Cluster(addresses, 2).meet, args=(60,))
    other.start()
    time.sleep(0.5)
    assert chief.is_alive(), "worker 1 is not there any more"
    assert Cluster(addresses, 1).meet(60) is None
    for thread in (chief, other):
        thread.join(60)
    assert outcome == [None]


@pytest.mark.skipif(sys.platform != "linux", reason="only on Linux is 127.0.0.2 this machine too")
def test_only_the_chiefs_own_address_is_listened_at():
    """Another program may have the same port at an address that TF_CONFIG does not name."""
    addresses = tuple(free_addresses(2))
    port = int(addresses[0].rpartition(":")[2])
    chief = threading.Thread(target=Cluster(addresses, 0).meet, args=(60,))
    chief.start()
    try:
        with socket.create_server(("127.0.0.2", port)):
            assert Cluster(addresses, 1).meet(60) is None
    finally:
        chief.join(60)


def test_an_address_of_another_machine_or_in_use_is_an_error():
    with pytest.raises(OSError, match="must be one of this machine's, with a free port. Received: '192.0.2.1:2222'"):
        Cluster(("192.0.2.1:2222", "192.0.2.2:2222"), 0).meet(5)  # Reserved for documents: no machine has it.
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(OSError, match=f"with a free port. Received: '{taken}'"):
            Cluster((taken, "127.0.0.1:1"), 0).meet(5)


def test_workers_with_other_addresses_are_refused():
    here, there = free_addresses(2), free_addresses(1)
    chief, other = meet([Cluster(tuple(here), 0), Cluster((here[0], there[0]), 1)], timeout=30)
    assert isinstance(chief, ValueError)
    assert isinstance(other, ValueError)
    assert there[0] in str(chief)


def test_keras_is_put_back_after_an_error():
    from keras.src.backend.tensorflow import trainer

    from kerazoo.training.distribution import keras_fit

    def exchanged():
        owners = (trainer, trainer.TensorFlowTrainer)
        names = ("reduce_per_replica", "TFEpochIterator", "_maybe_symbolic_build", "make_test_function")
        return [getattr(owner, name) for owner in owners for name in names if hasattr(owner, name)]

    before = exchanged()
    with pytest.raises(KeyError), keras_fit.for_replicas():
        assert all(now is not then for now, then in zip(exchanged(), before))
        raise KeyError
    assert exchanged() == before


@pytest.mark.parametrize("replicas", [2, 3, 4])
@pytest.mark.parametrize("size", range(1, 12))
def test_no_replica_trains_on_an_empty_part(replicas, size):
    """Where TensorFlow's parts of ceil(size / replicas) all have an example, nothing changes."""
    tf = pytest.importorskip("tensorflow")
    from kerazoo.training.distribution import parts

    data = {"x": np.arange(size), "label": tf.ragged.constant([[one] * (one % 3) for one in range(size)])}
    (batch,) = parts.without_empty(tf.data.Dataset.from_tensors((data, np.arange(size))), replicas)
    rows = batch[1].numpy().tolist()
    part = -(-len(rows) // replicas)
    assert part * (replicas - 1) < len(rows)
    assert rows[:size] == list(range(size)) and set(rows) == set(range(size))
    assert len(rows) == size or (len(rows) == part * replicas and max(map(rows.count, rows)) <= -(-len(rows) // size))
    assert batch[0]["x"].numpy().tolist() == rows and batch[0]["label"].nrows() == len(rows)


def test_data_sets_of_any_size_on_several_devices(start):
    """From one example to a batch and a half: `evaluate`, `predict` as on one device, `fit` with finite weights."""
    said = facts(start({"do": "any_size"}))
    assert said["replicas"] == 3
    for size, difference in said["differences"].items():
        assert difference["evaluate"] < TOLERANCE and difference["predict"] < TOLERANCE, (size, said)
    assert said["finite"]
    assert said["one_example"] < TOLERANCE, "one example on three devices is the training of one device"


@pytest.mark.slow
def test_data_sets_of_any_size_on_several_workers(start):
    job = {"do": "any_size_of_workers"}
    expected, *ours = map(facts, [start(job), *start_jobs(start, [job] * 3)])
    for said in ours:
        assert said["finite"]
        for key in ("evaluated", "predicted"):
            np.testing.assert_allclose(said[key], expected[key], atol=TOLERANCE)
