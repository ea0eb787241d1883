"""``python -m airflow_provider_processmaker.testing``: serve one stand-in server until it is interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

_YEAR = 31_536_000


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_processmaker.testing",
        description="Serve a stand-in ProcessMaker and print an Airflow connection to it.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8800, help="0 for any free port (default: %(default)s)")
    parser.add_argument("--users", type=int, default=500, help="how many users it knows (default: %(default)s)")
    parser.add_argument("--access-token-seconds", type=float, default=_YEAR, help="life of an access token")
    parser.add_argument("--refresh-token-seconds", type=float, default=_YEAR, help="life of a refresh token")
    parser.add_argument("--client-secret", help="of the client for the password grant (default: made up)")
    parser.add_argument("--no-throttle", action="store_true", help="allow any number of token calls")
    parser.add_argument("--processes", action="store_true", help="have example processes, such as Simple Task (2)")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """
    Serve.

    :param arguments: of the command line.
    """
    options = _parser().parse_args(arguments)
    try:
        from airflow_provider_processmaker.testing.server import ProcessMakerServer
    except ModuleNotFoundError as error:
        sys.stderr.write(f"{error}. Install it: pip install 'airflow-provider-processmaker[testing]'\n")
        return 1
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    server = ProcessMakerServer(
        options.users,
        options.access_token_seconds,
        options.refresh_token_seconds,
        options.port,
        host=options.host,
        client_secret=options.client_secret,
        throttle=None if options.no_throttle else 60,
    )
    if options.processes:
        server.add_example_processes()
    try:
        server.start()
    except OSError as error:
        sys.stderr.write(f"cannot listen on {options.host}:{options.port}: {error}\n")
        return 1
    with server:
        sys.stdout.write(f"{server.conn_uri}\n")
        sys.stdout.flush()
        sys.stderr.write(
            f"A stand-in ProcessMaker at {server.url}; user admin, password admin123. Put the line above, in quotes, "
            "into AIRFLOW_CONN_PROCESSMAKER_DEFAULT. Ctrl-C ends it.\n"
        )
        sys.stderr.flush()
        done.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
