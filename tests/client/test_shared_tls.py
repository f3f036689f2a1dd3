"""A TLS socket that two threads use: no waiting in OpenSSL, and a close that wakes everybody."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from uhlive_client.shared_tls import SharedTLS

LARGE = 3_000_000


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


@pytest.fixture
def ends(authority, threads) -> Iterator[tuple[SharedTLS, ssl.SSLSocket]]:
    """A shared socket and its other end, whose session tickets are on their way."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    client.sslsocket_class = SharedTLS
    ours, theirs = socket.socketpair()
    accepting = threads.submit(server.wrap_socket, theirs, server_side=True)
    shared = client.wrap_socket(ours, server_hostname="127.0.0.1")
    other = accepting.result(5)
    shared.settimeout(None)
    yield shared, other
    shared.close()
    other.close()


def test_it_verifies_and_is_what_the_context_makes(ends):
    assert isinstance(ends[0], SharedTLS)
    assert ends[0].getpeercert()["subjectAltName"] == (("IP Address", "127.0.0.1"),)


def test_one_thread_sends_while_another_waits_to_receive(ends, threads):
    shared, other = ends
    receiving = threads.submit(shared.recv, 100)  # the tickets are all there is to read
    shared.sendall(b"hello")
    assert other.recv(100) == b"hello"
    other.sendall(b"world")
    assert receiving.result(5) == b"world"


def test_closing_wakes_who_waits(ends, threads):
    shared, _ = ends
    receiving = threads.submit(shared.recv, 100)
    shared.close()
    with pytest.raises((OSError, ValueError)):
        receiving.result(5)


def test_waiting_has_an_end(ends):
    shared, _ = ends
    shared.settimeout(0.05)
    with pytest.raises(TimeoutError):
        shared.recv(100)
    with pytest.raises(TimeoutError):
        shared.sendall(bytes(LARGE))


def test_much_goes_both_ways_at_once(ends, threads):
    shared, other = ends

    def read(from_whom) -> int:
        count = 0
        while count < LARGE:
            count += len(from_whom.recv(65_536))
        return count

    def echo() -> None:
        count = 0
        while count < LARGE:
            chunk = other.recv(65_536)
            other.sendall(chunk)
            count += len(chunk)

    echoing, reading = threads.submit(echo), threads.submit(read, shared)
    shared.sendall(bytes(LARGE))
    assert reading.result(20) == LARGE
    echoing.result(5)


def test_what_the_other_side_still_says_after_a_shutdown_is_read(ends, threads):
    shared, other = ends
    shared.shutdown(socket.SHUT_WR)
    other.sendall(b"goodbye")
    assert shared.recv(100) == b"goodbye"
