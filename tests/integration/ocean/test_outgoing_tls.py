"""TLS goes by the host name of the URL although the connection goes to an address."""

import datetime
import ipaddress
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
from tests.support.http_server import HttpServer, ranged

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
        self._inner = httpcore.AnyIOBackend()

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
