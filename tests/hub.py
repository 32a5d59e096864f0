"""A hub on this machine: models and datasets from folders, with history.

    FOLDER/{model,dataset}/ORG/NAME/COMMIT/files ...
    FOLDER/{model,dataset}/ORG/NAME/refs.json       {"main": COMMIT, ...}
    FOLDER/{model,dataset}/ORG/NAME/gated           an empty file: access is restricted
    FOLDER/{model,dataset}/ORG/NAME/visibility      public or private, of one that was made here

It speaks as much of the hub's HTTP interface as huggingface_hub, transformers and datasets ask for.
"""

import base64
import hashlib
import json
import os
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


def commit_of(text: str) -> str:
    """Something that looks like a commit."""
    return hashlib.sha1(text.encode()).hexdigest()


MAY_WRITE, MAY_READ = "hf_writer", "hf_reader"
"""Tokens."""


class Hub:
    """The server, in threads of this process."""

    def __init__(self, folder: Path):
        self.folder = folder
        handler = type("Handler", (_Handler,), {"folder": folder, "asked": []})
        self.asked: list[str] = handler.asked
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> str:
        """Its address, for HF_ENDPOINT."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def add(self, kind: str, name: str, commit: str, source: Path, *branches: str) -> None:
        """A commit with the files of a folder; the branches point to it from now on."""
        place = self.folder / kind / name
        shutil.copytree(source, place / commit)
        refs = place / "refs.json"
        known = json.loads(refs.read_text()) if refs.exists() else {}
        refs.write_text(json.dumps(known | dict.fromkeys(branches, commit)))

    def move(self, kind: str, name: str, **branches: str) -> None:
        """Let branches point elsewhere."""
        refs = self.folder / kind / name / "refs.json"
        refs.write_text(json.dumps(json.loads(refs.read_text()) | branches))

    def close(self) -> None:
        """Refuse connections from now on."""
        self._server.shutdown()
        self._server.server_close()


def environment(endpoint: str, cache: Path, **more: str) -> dict[str, str]:
    """Variables of a process that knows this hub and no other."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    return kept | {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "COLUMNS": "200"} | more


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path
    asked: list[str]

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        parts = [unquote(part) for part in address.path.strip("/").split("/")]
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.asked.append(address.path)
        if self.command in ("POST", "PUT") and self._takes(parts, body):
            return
        if parts[0] == "api":
            self._interface(parts[1].removesuffix("s"), parts[2:], body, address.query)
            return
        kind = "dataset" if parts[0] == "datasets" else "model"
        parts = parts[1:] if kind == "dataset" else parts
        if len(parts) < 5 or parts[2] != "resolve":
            self._fail(404, "RepoNotFound")
        elif (found := self._commit(kind, "/".join(parts[:2]), parts[3])) is not None:
            self._file(found, found / "/".join(parts[4:]))

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815

    def _takes(self, parts: list[str], body: bytes) -> bool:
        """Whether this is a step of an upload, which it answers then."""
        match parts:
            case ["api", "validate-yaml"]:
                self._send({"errors": [], "warnings": []})
            case ["lfs", oid]:
                (self.folder / "lfs").mkdir(exist_ok=True)
                (self.folder / "lfs" / oid).write_bytes(body)
                self._send({})
            case ["api", "repos", "create"]:
                self._may_write() and self._create(json.loads(body))
            case ["api", "datasets", _, _, "preupload", "main"]:
                modes = [
                    {"path": one["path"], "shouldIgnore": False,
                     "uploadMode": "lfs" if one["path"].endswith(".parquet") else "regular"}
                    for one in json.loads(body)["files"]
                ]  # fmt: skip
                self._may_write() and self._send({"files": modes})
            case ["datasets", _, _, "info", "lfs", "objects", "batch"]:
                host = f"http://{self.headers['host']}"
                objects = [
                    one | {"actions": {"upload": {"href": f"{host}/lfs/{one['oid']}"}}}
                    for one in json.loads(body)["objects"]
                ]
                self._may_write() and self._send({"transfer": "basic", "objects": objects})
            case ["api", "datasets", org, name, "commit", "main"]:
                self._may_write() and self._commits(f"{org}/{name}", body)
            case _:
                return False
        return True

    def _may_write(self) -> bool:
        token = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        if token == MAY_WRITE:
            return True
        self._send({"error": "no right to write"}, 403 if token == MAY_READ else 401)
        return False

    def _create(self, wanted: dict[str, Any]) -> None:
        name = f"{wanted['organization']}/{wanted['name']}"
        place = self.folder / wanted["type"] / name
        is_new = not place.exists()
        if is_new:
            (place / commit_of("empty")).mkdir(parents=True)
            (place / "refs.json").write_text(json.dumps({"main": commit_of("empty")}))
            (place / "visibility").write_text(wanted["visibility"])
        url = f"http://{self.headers['host']}/datasets/{name}"
        self._send({"url": url, "error": "there is one"}, 200 if is_new else 409)

    def _commits(self, name: str, body: bytes) -> None:
        """The files of a commit upon those of the one before it."""
        place = self.folder / "dataset" / name
        refs = json.loads((place / "refs.json").read_text())
        made = place / commit_of(refs["main"] + body.decode())
        shutil.copytree(place / refs["main"], made)
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "header":
                continue
            value, target = line["value"], made / line["value"]["path"]
            target.parent.mkdir(parents=True, exist_ok=True)
            if line["key"] == "deletedFile":
                target.unlink()
            elif line["key"] == "file":
                target.write_bytes(base64.b64decode(value["content"]))
            else:
                shutil.copy(self.folder / "lfs" / value["oid"], target)
        (place / "refs.json").write_text(json.dumps(refs | {"main": made.name}))
        url = f"http://{self.headers['host']}/datasets/{name}/commit/{made.name}"
        self._send({"commitUrl": url, "commitOid": made.name})

    def _interface(self, kind: str, rest: list[str], body: bytes, query: str) -> None:
        name, (verb, revision, *path) = "/".join(rest[:2]), rest[2:] or ["revision", "main"]
        found = self._commit(kind, name, revision)
        if found is None:
            return
        if verb == "revision":
            files = [{"rfilename": str(one.relative_to(found))} for one in _files(found)]
            self._send({"id": name, "sha": found.name, "siblings": files, "tags": []})
        elif verb == "tree":
            base = found.joinpath(*path)
            if not base.exists():
                self._fail(404, "EntryNotFound")
                return
            deep = "recursive=true" in query.lower()
            inside = sorted(base.rglob("*") if deep else base.iterdir())
            self._send([_entry(one, found) for one in inside])
        elif verb == "paths-info":
            try:
                wanted = json.loads(body)["paths"]
            except ValueError:
                wanted = parse_qs(body.decode()).get("paths", [])
            places = [found / one for one in wanted]
            self._send([_entry(one, found) for one in places if one.exists()])
        else:
            self._fail(404, "EntryNotFound")

    def _commit(self, kind: str, name: str, revision: str) -> Path | None:
        """Folder of a commit, or None after it was refused."""
        place = self.folder / kind / name
        if not place.is_dir():
            self._fail(401, "RepoNotFound")
        elif (place / "gated").exists():
            self._fail(401, "GatedRepo")
        else:
            refs = json.loads((place / "refs.json").read_text())
            if (found := place / refs.get(revision, revision)).is_dir():
                return found
            self._fail(404, "RevisionNotFound")
        return None

    def _file(self, commit: Path, path: Path) -> None:
        if not path.is_file():
            self._fail(404, "EntryNotFound", {"X-Repo-Commit": commit.name})
            return
        data, code = path.read_bytes(), 200
        headers = {"X-Repo-Commit": commit.name, "ETag": f'"{hashlib.sha1(data).hexdigest()}"'}
        wanted = self.headers.get("range")
        if wanted and self.command == "GET":
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, end = int(first), int(last) if last else len(data) - 1
            headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
            data, code = data[start : end + 1], 206
        self._send(data, code, headers)

    def _fail(self, code: int, kind: str, headers: dict[str, str] | None = None) -> None:
        self._send({"error": kind}, code, {"X-Error-Code": kind, **(headers or {})})

    def _send(self, body: Any, code: int = 200, headers: dict[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        for key, value in ({"Content-Length": str(len(data))} | (headers or {})).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _entry(path: Path, commit: Path) -> dict[str, Any]:
    where = str(path.relative_to(commit))
    if path.is_dir():
        return {"type": "directory", "path": where, "oid": "0" * 40, "size": 0}
    data = path.read_bytes()
    return {"type": "file", "path": where, "oid": commit_of(where), "size": len(data)}
