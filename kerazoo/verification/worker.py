"""One process of verification: `python -m kerazoo.verification.worker NAME PROMISE...`, a JSON line a promise."""

import json
import os
import sys
import time
import traceback

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main(argv):
    import tensorflow as tf

    from kerazoo.verification.plan import PROMISES
    from kerazoo.verification.subject import Subject

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    name, *promises = argv
    subject = Subject(name)
    for promise in promises:
        print(json.dumps({"promise": promise, "starts": True}), flush=True)
        started = time.perf_counter()
        outcome = _check(_load(PROMISES[promise], promise), subject)
        outcome["seconds"] = round(time.perf_counter() - started, 1)
        print(json.dumps({"promise": promise, **outcome}), flush=True)


def _load(module, promise):
    from importlib import import_module

    return getattr(import_module(module), promise)


def _check(promise, subject):
    from kerazoo.verification.subject import Broken, NotApplicable

    reason = subject.entry.unsupported.get(promise.__name__)
    if reason:
        return {"status": "n/a", "reason": reason}
    try:
        value = promise(subject)
    except NotApplicable as error:
        return {"status": "n/a", "reason": str(error)}
    except Broken as error:
        return {"status": "fail", "reason": str(error)}
    except Exception as error:  # Whatever a model throws is its result, and the trace goes to stderr.
        traceback.print_exc()
        first_line = (str(error).strip() or "no message").splitlines()[0][:300]
        return {"status": "fail", "reason": f"{type(error).__name__}: {first_line}"}
    if value is None:
        return {"status": "pass"}
    return {"status": "pass", "value": value if isinstance(value, int) else float(f"{value:.2e}")}


if __name__ == "__main__":
    main(sys.argv[1:])
