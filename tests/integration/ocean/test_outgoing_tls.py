"""TLS goes by the host name of the URL although the connection goes to an address."""

import asyncio
import datetime
import ipaddress
import random
import ssl
from pathlib import Path
from typing import Any

import httpcore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ocean.files import UrlFile
from ocean.outgoing import OutgoingFailed, OutgoingGuard
from ocean.outgoing.sockets import SocketBackend
from tests.support.http_server import HttpServer, RawServer, Reply, ranged

pytestmark = pytest.mark.integration

PUBLIC = "93.184.216.34"


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """(certificate, key) of a name, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    try:
        names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(name))]
    except ValueError:
        names = [x509.DNSName(name)]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_file, key_file


class Dialer(httpcore.AsyncNetworkBackend):
    def __init__(self, port: int) -> None:
        self._port = port
        self._inner = SocketBackend()

    async def connect_tcp(self, host: str, port: int, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        assert host == PUBLIC
        return await self._inner.connect_tcp("127.0.0.1", self._port, *args, **options)


async def resolve(host: str, port: int) -> list[str]:
    return [PUBLIC]


@pytest.mark.parametrize(
    ("certified", "trusted", "reason"),
    [
        ("files.test", True, None),
        ("other.test", True, "tls"),
        (PUBLIC, True, "tls"),  # the address must not be what is verified
        ("files.test", False, "tls"),
    ],
)
async def test_the_name_is_verified(tmp_path: Path, certified: str, trusted: bool, reason: str | None) -> None:
    cert_file, key_file = certificate(tmp_path, certified)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(cert_file, key_file)
    asked: list[str | None] = []
    server_side.sni_callback = lambda connection, name, context: asked.append(name)
    client_side = ssl.create_default_context(cafile=str(cert_file)) if trusted else None
    if client_side is not None:
        client_side.verify_flags &= ~ssl.VERIFY_X509_STRICT  # ours is no well-formed authority
    async with HttpServer(ranged(b"content"), tls=server_side) as server:
        guard = OutgoingGuard(resolve=resolve, dial=Dialer(server.port), ssl_context=client_side)
        async with guard.client() as client:
            file = UrlFile("https://files.test/x")
            if reason is None:
                assert (await client.sha256_of(file, 100)).size == 7
            else:
                with pytest.raises(OutgoingFailed) as caught:
                    await client.sha256_of(file, 100)
                assert (caught.value.reason, caught.value.retriable) == (reason, False)
        assert asked == ["files.test"]


def contexts(folder: Path, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(server's, client's) for 127.0.0.1."""
    cert_file, key_file = certificate(folder, "127.0.0.1")
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(cert_file, key_file)
    server_side.minimum_version = server_side.maximum_version = version
    return server_side, ssl.create_default_context(cafile=str(cert_file))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_connection_serves_again(tmp_path: Path, version: ssl.TLSVersion) -> None:
    """Also when more was posted than is sent at once."""
    server_side, client_side = contexts(tmp_path, version)
    posted = random.Random(3).randbytes(3_000_000)  # noqa: S311
    async with HttpServer(lambda request: Reply(200, request.body), tls=server_side) as server:
        guard = OutgoingGuard([f"127.0.0.1:{server.port}"], ssl_context=client_side)
        async with guard.client() as client:
            for content in (b"a", b"b" * 900_000, posted, b"c"):
                url = f"https://127.0.0.1:{server.port}/"
                async with client.open("POST", url, content=content) as response:
                    assert b"".join([piece async for piece in response.aiter_raw()]) == content
        assert server.connections == 2  # a large answer ends its connection


async def test_a_peer_that_does_not_speak_tls(tmp_path: Path) -> None:
    _, client_side = contexts(tmp_path)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await silent(reader, writer)

    for serve, reason, seconds in ((silent, "timeout", 0.3), (plain, "tls", 60)):
        async with RawServer(serve) as server:
            guard = OutgoingGuard([f"127.0.0.1:{server.port}"], ssl_context=client_side)
            async with guard.client(connect_seconds=seconds) as client:
                with pytest.raises(OutgoingFailed, match=reason):
                    await client.sha256_of(UrlFile(f"https://127.0.0.1:{server.port}/x"), 100)


async def test_an_end_without_a_goodbye_ends_no_chunked_body_well(tmp_path: Path) -> None:
    server_side, client_side = contexts(tmp_path)
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()

    async with RawServer(cut, tls=server_side) as server:
        guard = OutgoingGuard([f"127.0.0.1:{server.port}"], ssl_context=client_side)
        async with guard.client() as client:
            with pytest.raises(OutgoingFailed) as caught:
                await client.sha256_of(UrlFile(f"https://127.0.0.1:{server.port}/x"), 100)
        assert caught.value.reason in ("protocol", "connection")
