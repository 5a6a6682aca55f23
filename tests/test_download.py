"""Downloads over loopback: checked, resumed, refused."""

import functools
import hashlib
import http.server
import threading

import numpy as np
import pytest

from kerazoo.data.download import download


class _Server(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; understands `Range: bytes=n-`; cuts the first answer after `cut` bytes."""

    cut = None
    ranges = True
    requests = None

    def do_GET(self):
        self.requests.append(self.headers.get("Range"))
        try:
            with open(self.translate_path(self.path), "rb") as file:
                content = file.read()
        except FileNotFoundError:
            self.send_error(404)
            return
        start = 0
        if self.ranges and self.headers.get("Range"):
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = len(content)
        if type(self).cut and len(self.requests) == 1:
            end = type(self).cut
        self.wfile.write(content[start:end])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    handler = type("Handler", (_Server,), {"requests": []})
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(folder))
    ) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        content = np.random.default_rng(0).bytes(300_000)
        (folder / "data.bin").write_bytes(content)
        facts = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        yield f"http://127.0.0.1:{running.server_port}/data.bin", content, facts, handler
        running.shutdown()
        thread.join()


def test_download(server, tmp_path):
    url, content, facts, handler = server
    seen = []
    path = download(url, tmp_path / "a" / "data.bin", progress=lambda have, size: seen.append(have / size), **facts)
    assert path.read_bytes() == content and seen[-1] == 1 and list(path.parent.iterdir()) == [path]
    download(url, path, **facts)
    assert len(handler.requests) == 1, "a whole file must not be fetched again"


@pytest.mark.parametrize("ranges", [True, False], ids=["server resumes", "server starts over"])
def test_download_resumes(server, tmp_path, ranges):
    url, content, facts, handler = server
    handler.cut, handler.ranges = 100_000, ranges
    path = tmp_path / "data.bin"
    with pytest.raises(ConnectionError, match="broke off|IncompleteRead"):
        download(url, path, **facts)
    assert not path.exists() and (tmp_path / "data.bin.part").stat().st_size == 100_000
    assert download(url, path, **facts).read_bytes() == content
    assert handler.requests == [None, "bytes=100000-"]


def test_download_refuses_another_content(server, tmp_path):
    url, _, facts, _ = server
    with pytest.raises(ValueError, match="must have sha256"):
        download(url, tmp_path / "data.bin", sha256="0" * 64, size=facts["size"])
    with pytest.raises(ValueError, match="must have 1000 bytes"):
        download(url, tmp_path / "data.bin", sha256=facts["sha256"], size=1000)
    assert [p.name for p in tmp_path.iterdir()] == ["served"]


def test_download_without_the_file_or_the_server(server, tmp_path):
    url, _, facts, _ = server
    with pytest.raises(ConnectionError, match="404.*KERAZOO_DATA_DIR"):
        download(url.replace("data.bin", "gone.bin"), tmp_path / "gone.bin", **facts)
    with pytest.raises(ConnectionError, match="could not be downloaded.*put the file at"):
        download("http://127.0.0.1:9/data.bin", tmp_path / "data.bin", **facts)
