"""Who may speak to whom on the node: an authority for clients of the kubelet, tokens for the components' accounts."""

from __future__ import annotations

import datetime
import secrets
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from tools.cluster.places import NODE

_YEAR = datetime.timedelta(days=365)

# Account: groups, as the API server's file of tokens has them.
ACCOUNTS = {
    "administrator": "system:masters",
    f"system:node:{NODE}": "system:nodes",
    "system:kube-controller-manager": "",
    "system:kube-scheduler": "",
    "system:kube-proxy": "",
    "kube-router": "system:masters",
}


def make(folder: Path) -> dict[str, str]:
    """Write an authority (`clients.crt`), a client of it (`api-server.crt`, `.key`), `accounts.key`, `tokens.csv`.

    Returns the token of each account.
    """
    folder.mkdir(parents=True, mode=0o700)
    authority_key, client_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("clients-of-the-kubelet", authority_key, None, authority_key)
    client = _certificate("kube-apiserver", client_key, authority, authority_key)
    (folder / "clients.crt").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    (folder / "api-server.crt").write_bytes(client.public_bytes(serialization.Encoding.PEM))
    (folder / "api-server.key").write_bytes(_pem(client_key))
    (folder / "accounts.key").write_bytes(_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)))
    tokens = {account: secrets.token_urlsafe(24) for account in ACCOUNTS}
    lines = [f'{tokens[account]},{account},{account},"{groups}"\n' for account, groups in ACCOUNTS.items()]
    (folder / "tokens.csv").write_text("".join(lines))
    return tokens


def of_itself(name: str) -> tuple[bytes, bytes]:
    """A certificate that nobody else has signed, and its key, both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _certificate(name, key, None, key).public_bytes(serialization.Encoding.PEM), _pem(key)


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate | None, signer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    """Of an authority where `issuer` is None, else of a client in the group that may ask the kubelet everything."""
    attributes = [x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]
    if issuer is not None:
        attributes.append(x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "system:masters"))
    subject, now = x509.Name(attributes), datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer is not None else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + _YEAR)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    return made.sign(signer, hashes.SHA256())


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
