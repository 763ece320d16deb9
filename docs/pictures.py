"""Makes the pictures of the terminal that the guides show, from real commands on a real run: ``make pictures``.

The commands run on a pseudo-terminal while a flow's fan-out is held at a certain item, so that each time the same
state is shown. Rich draws what they printed last as SVG, without the fonts that it would have browsers fetch.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pgflow import Flow, FlowClient, FlowRun, Worker, migrations
from pgflow.embedded import server_dsn

IMAGES = Path(__file__).parent / "guides" / "images"
ROWS, COLUMNS = 12, 100
PARCELS, HELD_AFTER, LETTERS = 120, 86, 3_000

#: Between two drawings of a picture rich clears lines, moves up and returns; `top` has a screen of its own.
BETWEEN_FRAMES = re.compile(r"(?:\x1b\[2K|\x1b\[\d*A|\r(?!\n)|\x1b\[H|\x1b\[2J|\x1b\[\?\d+[hl])+")

flow: Flow[int] = Flow("ship-orders", input=int, base_delay=0)
goes_on = threading.Event()
tried: set[int] = set()


@flow.step
def reserve(run: int) -> list[int]:
    return list(range(run))


@flow.step(depends_on=[reserve], fanout=True)
def pack(item: int) -> int:
    if item % 40 == 7 and item not in tried:
        tried.add(item)
        raise LookupError(f"no box for parcel {item}")
    if item >= HELD_AFTER:
        goes_on.wait()
    return item


@flow.step(depends_on=[reserve])
def invoice(reserve: list[int]) -> int:
    return 12 * len(reserve)


@flow.step(depends_on=[pack, invoice])
def hand_over(pack: list[int], invoice: int) -> str:
    return f"{len(pack)} parcels for {invoice} €"


@flow.step(depends_on=[hand_over])
def thank(hand_over: str) -> str:
    return f"Thank you! {hand_over}"


letters: Flow[int] = Flow("send-letters", input=int)


@letters.step
def send(run: int) -> int:
    goes_on.wait(0.02)
    return run


def last_frame(*arguments: str, until: str) -> Text:
    """What ``pgflow`` shows on a terminal once the pattern `until` is to be seen; it is then interrupted."""
    process, terminal = pty.fork()
    if process == 0:
        # Threads of this program do not exist in the child, which does nothing but become another program.
        os.execvpe(
            sys.executable,
            [sys.executable, "-m", "pgflow", *arguments],
            {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(ROWS)},
        )
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    printed, frame = b"", ""
    while not re.search(until, Text.from_ansi(frame).plain):
        printed += os.read(terminal, 65536)
        frames = BETWEEN_FRAMES.split(printed.decode(errors="ignore").replace("\r\n", "\n"))
        frame = next((text for text in reversed(frames) if text.strip()), "")
    os.kill(process, signal.SIGINT)
    while True:
        try:
            if not os.read(terminal, 65536):
                break
        except OSError:
            break
    os.waitpid(process, 0)
    return Text.from_ansi(frame)


def save(name: str, picture: Text, *, title: str) -> None:
    """Write a picture of a terminal window."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(picture, end="")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title=title), flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", "monospace")
    (IMAGES / name).write_text(svg + "\n", encoding="utf-8")


def draw(run: FlowRun) -> None:
    """Draw the run while its fan-out is held."""
    identity = str(run.run_id)
    save("watch.svg", last_frame("watch", identity, until=f"8. of {PARCELS}"), title="pgflow watch")
    in_second_reading = r"send-letters +[\d,]+ +\d+ +\S+ s +[\d,]+\.\d"
    save("top.svg", last_frame("top", "--every", "1", until=in_second_reading), title="pgflow top")
    picture = subprocess.run(
        [sys.executable, "-m", "pgflow", "show", identity, "--svg"], check=True, capture_output=True, text=True
    )
    (IMAGES / "run.svg").write_text(picture.stdout, encoding="utf-8")


def main() -> None:
    """Make all pictures, on an embedded server of their own."""
    with tempfile.TemporaryDirectory() as folder, server_dsn(folder) as dsn:
        os.environ["PGFLOW_DSN"] = dsn
        migrations.upgrade(dsn)
        # Pictures are of no machine in particular.
        socket.gethostname = lambda: "packer"
        with FlowClient(dsn) as client, Worker(flow, dsn, concurrency=4), Worker(letters, dsn, concurrency=4):
            run = client.start(flow, PARCELS)
            client.start_many(letters, range(LETTERS))
            try:
                draw(run)
            finally:
                goes_on.set()
            run.wait(timeout=60)


if __name__ == "__main__":
    main()
