from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import stat
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import aiohttp
import certifi
import pytest
import requests
import websocket
import websockets.sync.server

from uhlive_mock.errors import ConfigurationError
from uhlive_mock.server.listeners import Certificates

NODE = shutil.which("node")


class Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"hello"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def https_server(certificates: Certificates, host: str = "127.0.0.1") -> Iterator[int]:
    """An HTTPS server on a free port of `host`, in a thread."""

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    server = Server((host, 0), Hello)
    server.socket = certificates.ssl_context().wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def certificates() -> Iterator[Certificates]:
    with Certificates("mock.example", environ={}) as made:
        yield made


@pytest.fixture(scope="module")
def port(certificates) -> Iterator[int]:
    with https_server(certificates) as port:
        yield port


def handshake(context: ssl.SSLContext, port: int, name: str, host: str = "127.0.0.1") -> dict:
    with socket.create_connection((host, port), timeout=5) as raw:
        with context.wrap_socket(raw, server_hostname=name) as tls:
            return tls.getpeercert()


@pytest.mark.parametrize("store", ["ca_file", "root_file"])
@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "mock.example"])
def test_every_name_verifies_with_either_store(certificates, port, store, name):
    context = ssl.create_default_context(cafile=getattr(certificates, store))
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default since Python 3.13
    subject = handshake(context, port, name)["subjectAltName"]
    assert ("DNS", "localhost") in subject
    assert ("IP Address", "127.0.0.1") in subject


def test_another_name_does_not_verify(certificates, port):
    context = ssl.create_default_context(cafile=certificates.root_file)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"other\.example"):
        handshake(context, port, "other.example")


def test_another_authority_does_not_verify(port):
    with Certificates(environ={}) as other:
        context = ssl.create_default_context(cafile=other.root_file)
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(context, port, "localhost")


def test_the_loopback_address_of_ipv6_is_served(certificates):
    try:
        with https_server(certificates, "::1") as port:
            handshake(ssl.create_default_context(cafile=certificates.root_file), port, "::1", "::1")
    except OSError as error:
        if isinstance(error, ssl.SSLError):
            raise
        pytest.skip("no IPv6 here")


def test_no_ticket_is_sent_that_a_client_would_have_to_read_while_it_writes(certificates):
    assert certificates.ssl_context().num_tickets == 0


def test_http_1_1_is_what_is_negotiated(certificates, port):
    context = ssl.create_default_context(cafile=certificates.root_file)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as tls:
            assert tls.selected_alpn_protocol() == "http/1.1"


# --- the clients that have to trust us ---


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_requests_trusts_the_bundle(certificates, port, host, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.ca_file))
    monkeypatch.setenv("NO_PROXY", "*")
    assert requests.get(f"https://{host}:{port}/", timeout=5).text == "hello"


def test_requests_does_not_trust_us_without_it(port, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"https://localhost:{port}/", timeout=5)


@pytest.mark.asyncio
async def test_aiohttp_trusts_the_bundle(certificates, port, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_file))
    context = ssl.create_default_context()  # what aiohttp builds when it is imported
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        async with session.get(f"https://localhost:{port}/") as response:
            assert await response.text() == "hello"


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "WEBSOCKET_CLIENT_CA_BUNDLE"])
def test_websocket_client_trusts_the_bundle(certificates, variable, monkeypatch):
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "WEBSOCKET_CLIENT_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(certificates.ca_file))

    def echo(peer) -> None:
        for message in peer:
            peer.send(message)

    with websockets.sync.server.serve(echo, "127.0.0.1", 0, ssl=certificates.ssl_context()) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        peer = websocket.create_connection(
            f"wss://localhost:{server.socket.getsockname()[1]}/", timeout=5, http_no_proxy=["*"]
        )
        peer.send("hello")
        assert peer.recv() == "hello"
        peer.close()
        server.shutdown()
        thread.join()


@pytest.mark.skipif(NODE is None, reason="node is not installed")
@pytest.mark.parametrize("store", ["ca_file", "root_file"])
def test_node_trusts_either_store(certificates, port, store):
    script = (
        f"require('https').get('https://localhost:{port}/', {{family: 4, agent: false}}, "
        "r => r.on('data', d => process.stdout.write(d)))"
        ".on('error', e => { process.stdout.write(e.code) })"
    )
    environ = {"PATH": os.environ["PATH"], "NODE_EXTRA_CA_CERTS": str(getattr(certificates, store))}
    done = subprocess.run([NODE, "-e", script], env=environ, capture_output=True, timeout=30, text=True)
    assert (done.stdout, done.stderr) == ("hello", "")


# --- the files ---


def trusted_by(path) -> list[bytes]:
    """The certificates in a store, in DER."""
    ends = "-----END CERTIFICATE-----"
    blocks = Path(path).read_text().split(ends)[:-1]
    return [ssl.PEM_cert_to_DER_cert(block[block.index("-----BEGIN") :] + ends) for block in blocks]


def test_the_bundle_holds_the_rest_of_the_world_too(certificates):
    bundled = trusted_by(certificates.ca_file)
    assert set(trusted_by(certifi.where())) <= set(bundled)
    assert bundled[0] == trusted_by(certificates.root_file)[0]


@pytest.mark.parametrize(
    "variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "WEBSOCKET_CLIENT_CA_BUNDLE"]
)
def test_a_trust_store_already_chosen_stays_trusted(variable):
    with Certificates(environ={}) as company:
        environ = {variable: str(company.root_file)}
        with Certificates(environ=environ) as ours:
            assert set(trusted_by(company.root_file)) <= set(trusted_by(ours.ca_file))


def test_every_certificate_is_bundled_once():
    with (
        Certificates(environ={}) as outer,
        Certificates(environ={"SSL_CERT_FILE": str(outer.ca_file)}) as inner,
    ):
        blocks = inner.ca_file.read_bytes().count(b"BEGIN CERTIFICATE")
        assert blocks == outer.ca_file.read_bytes().count(b"BEGIN CERTIFICATE") + 1
        assert len(trusted_by(inner.ca_file)) == blocks


def test_trust_stores_that_are_gone_or_garbage_are_passed_over(tmp_path):
    garbage = tmp_path / "garbage.pem"
    garbage.write_bytes(b"\x00-----BEGIN CERTIFICATE-----\x00")
    environ = {
        "SSL_CERT_FILE": str(tmp_path / "missing.pem"),
        "REQUESTS_CA_BUNDLE": str(tmp_path),
        "CURL_CA_BUNDLE": str(garbage),
        "WEBSOCKET_CLIENT_CA_BUNDLE": "",
    }
    with Certificates(environ=environ) as made:
        ssl.create_default_context(cafile=made.ca_file)


def test_the_process_environment_is_the_default(monkeypatch):
    with Certificates(environ={}) as company:
        monkeypatch.setenv("SSL_CERT_FILE", str(company.root_file))
        with Certificates() as ours:
            assert set(trusted_by(company.root_file)) <= set(trusted_by(ours.ca_file))


def test_the_private_key_is_only_ours(certificates):
    assert stat.S_IMODE(certificates.chain_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(certificates.chain_file.parent.stat().st_mode) == 0o700
    for path in (certificates.ca_file, certificates.root_file):
        assert b"PRIVATE" not in path.read_bytes()


def test_closing_removes_the_files_and_may_be_repeated():
    made = Certificates(environ={})
    directory = made.ca_file.parent
    assert directory.is_dir()
    made.close()
    made.close()
    assert not directory.exists()


def test_a_context_outlives_the_files():
    with Certificates(environ={}) as made:
        context = made.ssl_context()
    assert context.get_ca_certs() == []


@pytest.mark.parametrize("host", ["", "localhost", "127.0.0.1", "::1", "0.0.0.0", "::"])
def test_hosts_a_server_listens_on_can_be_certified(host):
    with Certificates(host, environ={}) as made:
        made.ssl_context()


@pytest.mark.parametrize("host", ["my_box", "a b", "-", "moon..example", "x" * 64])
def test_a_host_that_is_none_is_refused(host):
    with pytest.raises(ConfigurationError, match="expected host names or addresses"):
        Certificates(host, environ={})
