"""Serve the folder ``site/`` on loopback, with what real sites have: pauses, a redirect, a dead link, and hiccups."""

from __future__ import annotations

import threading
import time
from collections import Counter
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from types import TracebackType
from typing import Any
from zlib import crc32

__all__ = ["SITE", "SiteServer"]

SITE = Path(__file__).resolve().parent / "site"

HICCUPS = {"/tide-tables.html": 2}
"""How often a path answers 500 before it works, counted anew by each server."""

REDIRECTS = {"/old-harbour": "/harbour.html"}
MISSING = ("/lost-ferry.html",)
CHARSETS = {"/ru/mayak.html": "windows-1251"}
"""Encodings that only the header names; other pages in old encodings declare theirs themselves."""


class SiteServer:
    """A web server on a free port of 127.0.0.1, in a thread of its own; a context manager.

    :param pause: seconds that the slowest page takes to answer; each path has its own share of it, always the same.
    """

    def __init__(self, *, pause: float = 0.0) -> None:
        self._pause = pause
        self._requests: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="site", daemon=True)

    @property
    def root(self) -> str:
        """The address of the home page, with a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    @property
    def urls(self) -> list[str]:
        """The address of everything that is served, and of one page that is not there."""
        files = sorted(f"/{path.relative_to(SITE).as_posix()}" for path in SITE.rglob("*") if path.is_file())
        return [self.root + path.removeprefix("/") for path in (*files, *REDIRECTS, *MISSING)]

    def count_request(self, path: str) -> int:
        """Note a request for a path; returns how many there were, this one included."""
        with self._lock:
            self._requests[path] += 1
            return self._requests[path]

    def pause_for(self, path: str) -> float:
        """Seconds to wait before answering a request for a path."""
        return self._pause * (crc32(path.encode()) % 100) / 100

    def __enter__(self) -> SiteServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def server_bind(self) -> None:
        # HTTPServer would ask the name service for the name of the address, which can take seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about a client that hung up."""


def _handler_for(site: SiteServer) -> type[SimpleHTTPRequestHandler]:
    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(SITE))

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            time.sleep(site.pause_for(path))
            if site.count_request(path) <= HICCUPS.get(path, 0):
                self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR)
            elif path in REDIRECTS:
                self.send_response(HTTPStatus.MOVED_PERMANENTLY)
                self.send_header("Location", REDIRECTS[path])
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                super().do_GET()

        def guess_type(self, path: Any) -> str:
            kind = super().guess_type(path)
            charset = CHARSETS.get(f"/{Path(path).relative_to(SITE).as_posix()}")
            return f"{kind}; charset={charset}" if charset else kind

        def log_message(self, *args: Any) -> None:
            """Keep the terminal for the run's progress."""

    return Handler
