"""A folder served as a bucket of an object store: the part of S3's REST interface that readers use."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

BUCKET = "bucket"
STAMP = "2024-07-03T10:00:00.000Z"


@contextmanager
def serve(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """``s3://bucket/`` is ``folder``, and the environment has what a reader needs.

    In a process of its own: a library that waits for an answer may hold this one's interpreter meanwhile.
    """
    command = [sys.executable, __file__, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        settings = {
            "AWS_ACCESS_KEY_ID": "id-for-tests", "AWS_SECRET_ACCESS_KEY": "secret-for-tests",
            "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        }  # fmt: skip
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        try:
            yield
        finally:
            server.kill()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, folder: Path, *args: object) -> None:
        self._folder = folder
        super().__init__(*args)  # type: ignore[arg-type]

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        key = unquote(url.path).removeprefix(f"/{BUCKET}").removeprefix("/")
        if "id-for-tests" not in self.headers.get("Authorization", ""):
            self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
        elif "list-type" in query:
            self._answer(200, self._list(query.get("prefix", ""), query.get("start-after", "")))
        elif (self._folder / key).is_file():
            self._give((self._folder / key).read_bytes())
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def _list(self, prefix: str, after: str) -> bytes:
        files = {str(path.relative_to(self._folder)): path for path in self._folder.rglob("*") if path.is_file()}
        found = [key for key in sorted(files) if key.startswith(prefix) and key > after]
        items = "".join(
            f"<Contents><Key>{key}</Key><LastModified>{STAMP}</LastModified><ETag>&quot;x&quot;</ETag>"
            f"<Size>{files[key].stat().st_size}</Size></Contents>"
            for key in found
        )
        return (
            f"<ListBucketResult><Name>{BUCKET}</Name><Prefix>{prefix}</Prefix><KeyCount>{len(found)}</KeyCount>"
            f"<IsTruncated>false</IsTruncated>{items}</ListBucketResult>"
        ).encode()

    def _give(self, body: bytes) -> None:
        wanted = self.headers.get("Range")
        if wanted is None:
            self._answer(200, body)
            return
        first, last = wanted.removeprefix("bytes=").split("-")
        begin = int(first) if first else max(len(body) - int(last), 0)
        end = min(int(last), len(body) - 1) if first and last else len(body) - 1
        self._answer(206, body[begin : end + 1], f"bytes {begin}-{end}/{len(body)}")

    def _answer(self, status: int, body: bytes, part: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"x"')
        self.send_header("Last-Modified", "Wed, 03 Jul 2024 10:00:00 GMT")
        if part is not None:
            self.send_header("Content-Range", part)
        self.end_headers()
        if self.command != "HEAD":
            with suppress(ConnectionError):  # a reader that has seen enough of a list hangs up
                self.wfile.write(body)


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, Path(sys.argv[1])))
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
