"""TLS for the loopback: a private authority, one certificate, and a trust store clients can be given.

The official SDK hard-codes `https://` for the token, so a client must be made to trust us without being
made to distrust everybody else. Three files, in a directory only we can read, say so:

    ca_file      every authority this machine trusts, and ours: for variables that *replace* a trust store
                 (SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, WEBSOCKET_CLIENT_CA_BUNDLE)
    root_file    ours alone: for what *adds* to a trust store (NODE_EXTRA_CA_CERTS, `curl --cacert`)
    chain_file   the server's key and certificate

Measured on a small machine: importing the cryptography stack 0.1 s, once a program (the tokens share it);
making authority, certificate and files 17 ms; a server context 3 ms. Loading the 250 kB `ca_file` costs a
client 60 ms, `root_file` next to nothing.
"""

from __future__ import annotations

import os
import re
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

from ..errors import ConfigurationError

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""What every certificate names, the addresses as IP entries. S: found by running the clients, which check both."""

_TRUST_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "WEBSOCKET_CLIENT_CA_BUNDLE")
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class Certificates:
    """A private authority and a certificate it signed. A context manager; `close()` removes the files.

    Args:
        hosts: names or addresses to certify besides the loopback's; empty ones are passed over.
        environ: where to look for trust stores already chosen; the process's own environment by default.

    Raises:
        ConfigurationError: a host is neither a name nor an address.
    """

    def __init__(self, *hosts: str, environ: Mapping[str, str] | None = None) -> None:
        import trustme

        authority = trustme.CA(organization_name="uhlive-mock")
        names = dict.fromkeys(filter(None, (*LOOPBACK, *hosts)))
        try:
            leaf = authority.issue_cert(*names, organization_name="uhlive-mock")
        except ValueError as error:
            raise ConfigurationError(
                f"cannot certify {', '.join(map(repr, hosts))}: {error}; expected host names or addresses"
            ) from None
        self._directory = tempfile.TemporaryDirectory(prefix="uhlive-mock-", ignore_cleanup_errors=True)
        directory = Path(self._directory.name)
        root = authority.cert_pem.bytes()
        self.ca_file = directory / "ca-bundle.pem"
        self.root_file = directory / "ca.pem"
        self.chain_file = directory / "server.pem"
        self.root_file.write_bytes(root)
        self.ca_file.write_bytes(_bundle(root, os.environ if environ is None else environ))
        self.chain_file.touch(mode=0o600)
        self.chain_file.write_bytes(leaf.private_key_and_cert_chain_pem.bytes())

    def ssl_context(self) -> ssl.SSLContext:
        """A fresh server context with the certificate loaded, for HTTP/1.1 and nothing newer."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain_file)
        context.set_alpn_protocols(["http/1.1"])
        # A client that reads in one thread and writes in another (websockets.sync does) can hang for good while it
        # reads a ticket: seen once in 1000 connections and less, CPython 3.11. Nobody resumes a session here.
        context.num_tickets = 0
        return context

    def close(self) -> None:
        """Remove the files. May be called again."""
        self._directory.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _bundle(root: bytes, environ: Mapping[str, str]) -> bytes:
    """Every certificate of every trust store in use, each once, and ours first."""
    found = [match for store in _trust_stores(environ) for match in _CERTIFICATE.findall(store)]
    return b"\n".join(dict.fromkeys([root.strip(), *found])) + b"\n"


def _trust_stores(environ: Mapping[str, str]) -> Iterator[bytes]:
    """The contents of the stores already chosen, OpenSSL's own and certifi's, which `requests` uses."""
    import certifi

    paths = [environ.get(name) for name in _TRUST_VARIABLES]
    paths += [ssl.get_default_verify_paths().openssl_cafile, certifi.where()]
    for path in dict.fromkeys(paths):
        # A store that is gone or is a directory is left out, as OpenSSL leaves it out.
        if path and os.path.isfile(path) and os.access(path, os.R_OK):
            yield Path(path).read_bytes()
