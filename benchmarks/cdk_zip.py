"""The zip that the CDK CLI makes of a folder: its dates, its modes, its compression, and the way Lambda unpacks it.

`cdk publish-assets` is what `cdk deploy` does before it calls CloudFormation. It runs here on a cloud assembly of one
asset against an S3 of twenty lines: the CLI's zip code cannot be imported, and another implementation proves nothing.
"""

import json
import os
import subprocess
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ROOT = Path(__file__).parents[1]
CDK = ROOT / "node_modules" / ".bin" / "cdk"
ACCOUNT, REGION, BUCKET, KEY = "000000000000", "us-east-1", "assets", "function.zip"
ARN = f"arn:aws:iam::{ACCOUNT}:user/benchmark"


def zipped(tree: Path, archive: Path) -> Path:
    """Write what the CDK CLI would upload for `tree` to `archive`; RuntimeError with its output when it fails."""
    with tempfile.TemporaryDirectory() as temporary, _bucket() as (endpoint, parts):
        assembly = Path(temporary, "assembly")
        _write_assembly(assembly, tree.absolute())
        command = [str(CDK), "publish-assets", "--app", str(assembly), "--unstable=publish-assets", "Function"]
        environment = _environment(endpoint, Path(temporary))
        result = subprocess.run(command, cwd=temporary, env=environment, capture_output=True, text=True, check=False)
        if result.returncode != 0 or not parts:
            raise RuntimeError(f"the CDK CLI published nothing:\n{result.stdout}\n{result.stderr}")
        archive.write_bytes(b"".join(parts[number] for number in sorted(parts)))
    return archive


def unpacked(archive: Path, directory: Path) -> Path:
    """What Lambda makes of the zip in /var/task: the zip's dates and modes."""
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            path = Path(opened.extract(entry, directory))
            path.chmod(entry.external_attr >> 16 & 0o777)
            seconds = time.mktime((*entry.date_time, 0, 0, -1))
            os.utime(path, (seconds, seconds))
    return directory


def _write_assembly(assembly: Path, tree: Path) -> None:
    destination = {"here": {"bucketName": BUCKET, "objectKey": KEY, "region": REGION}}
    asset = {"displayName": "function", "source": {"path": str(tree), "packaging": "zip"}, "destinations": destination}
    schema = version("aws-cdk-cloud-assembly-schema").split(".")[0] + ".0.0"
    stack = {
        "type": "aws:cloudformation:stack",
        "environment": f"aws://{ACCOUNT}/{REGION}",
        "properties": {"templateFile": "template.json"},
        "dependencies": ["Assets"],
    }
    assets = {"type": "cdk:asset-manifest", "properties": {"file": "assets.json"}}
    assembly.mkdir()
    for name, content in {
        "manifest.json": {"version": schema, "artifacts": {"Assets": assets, "Function": stack}},
        "assets.json": {"version": schema, "files": {"function": asset}, "dockerImages": {}},
        "template.json": {"Resources": {}},
    }.items():
        (assembly / name).write_text(json.dumps(content))


def _environment(endpoint: str, home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **kept,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "AKIABENCHMARK",
        "AWS_SECRET_ACCESS_KEY": "not-a-secret",
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "CDK_HOME": str(home),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CI": "true",
    }


@contextmanager
def _bucket() -> Iterator[tuple[str, dict[int, bytes]]]:
    """An S3 that takes one object, and an STS that says whose it is: the address, and the object's parts in order."""
    parts: dict[int, bytes] = {}

    class Endpoint(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(b"<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>")

        def do_POST(self) -> None:
            self._body()
            who = f"<GetCallerIdentityResult><Account>{ACCOUNT}</Account><Arn>{ARN}</Arn></GetCallerIdentityResult>"
            upload = "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
            identity = f"<GetCallerIdentityResponse>{who}</GetCallerIdentityResponse>"
            done = "<CompleteMultipartUploadResult><ETag>1</ETag></CompleteMultipartUploadResult>"
            self._answer((upload if "uploads" in self.path else done if BUCKET in self.path else identity).encode())

        def do_PUT(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            parts[int(query.get("partNumber", ["1"])[0])] = self._body()
            self._answer(b"")

        def _body(self) -> bytes:
            if "aws-chunked" in self.headers.get("Content-Encoding", ""):
                return b"".join(self._chunks())
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def _chunks(self) -> Iterator[bytes]:
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass  # the checksum that trails

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/xml")
            self.send_header("ETag", "1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", parts
    finally:
        server.shutdown()
        server.server_close()
