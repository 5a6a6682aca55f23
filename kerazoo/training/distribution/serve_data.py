"""A tf.data service's dispatcher or worker: `python -m kerazoo.training.distribution.serve_data --help`.

Serves until it is stopped. There is no authentication: whoever reaches the port can run pipelines.
"""

import argparse
import os


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m kerazoo.training.distribution.serve_data", description=__doc__.splitlines()[0]
    )
    roles = parser.add_subparsers(dest="role", required=True)
    dispatcher = roles.add_parser("dispatcher", help="knows the workers and hands out the work: one a service")
    worker = roles.add_parser("worker", help="runs the pipelines: as many as there are machines to spare")
    for role in (dispatcher, worker):
        role.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    dispatcher.add_argument("--work-dir", help="keep the jobs here, so that a restarted dispatcher knows them")
    worker.add_argument("--dispatcher", required=True, metavar="HOST:PORT")
    worker.add_argument("--host", default="localhost", help="this machine's name, as the trainers reach it")
    return parser.parse_args(argv)


def main(argv=None):
    """Starts the server, prints its port, and serves until the process is stopped."""
    args = parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from tensorflow.data.experimental import service

    if args.role == "dispatcher":
        kept = {"work_dir": args.work_dir, "fault_tolerant_mode": True} if args.work_dir else {}
        server = service.DispatchServer(service.DispatcherConfig(port=args.port, **kept))
        print(f"dispatcher serves at port {server.target.rpartition(':')[2]}", flush=True)
    else:
        config = service.WorkerConfig(
            dispatcher_address=args.dispatcher,
            worker_address=f"{args.host}:{args.port or '%port%'}",
            data_transfer_address=f"{args.host}:%dts_port%",
            port=args.port,
        )
        server = service.WorkerServer(config)
        print(f"worker serves for {args.dispatcher}", flush=True)
    server.join()


if __name__ == "__main__":
    main()
