from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.manifest import (
    Manifest,
    ManifestInvalid,
    ResultFile,
    digest_of,
    parse_manifest,
    parse_summary,
    summary_of,
)
from pods.publishing.names import shown
from pods.publishing.upload import content_type_of
from results.object_names import object_key

pytestmark = pytest.mark.unit


def a_file(index: int, job_id: str = "job", name: str = "x.csv") -> ResultFile:
    return ResultFile(
        index=index,
        path=f"outputs/{name}",
        filename=name,
        filesize=3,
        sha256="ab" * 32,
        type="output",
        content_type="text/csv",
        key=f"{job_id}/outputs/{name}",
    )


def a_manifest(*files: ResultFile) -> Manifest:
    return Manifest(job_id="job", created=1, complete=True, files=files)


def test_round_trip() -> None:
    manifest = a_manifest(a_file(0), a_file(1))
    encoded = manifest.encoded()
    assert parse_manifest(encoded, job_id="job", digest=digest_of(encoded)) == manifest
    assert parse_summary(summary_of(manifest, encoded).encoded()) == summary_of(manifest, encoded)


def test_other_bytes_other_job_gaps_and_foreign_keys_are_refused() -> None:
    encoded = a_manifest(a_file(0)).encoded()
    for changed in (encoded + b" ", b"{}", b""):
        with pytest.raises(ManifestInvalid):
            parse_manifest(changed, job_id="job", digest=digest_of(encoded))
    with pytest.raises(ManifestInvalid, match="another job"):
        parse_manifest(encoded, job_id="other", digest=None)
    with pytest.raises(ManifestInvalid, match="gaps"):
        parse_manifest(a_manifest(a_file(1)).encoded(), job_id="job", digest=None)
    with pytest.raises(ManifestInvalid, match="files of another"):
        parse_manifest(a_manifest(a_file(0, "job2")).encoded(), job_id="job", digest=None)


def test_a_long_list_stands_in_the_manifest_only() -> None:
    short, long = a_manifest(*map(a_file, range(10))), a_manifest(*map(a_file, range(1000)))
    assert summary_of(short, short.encoded()).files is not None
    summary = summary_of(long, long.encoded())
    assert (summary.count, summary.files) == (1000, None)
    wide = a_manifest(*(a_file(n, name="ü" * 120) for n in range(200)))
    assert len(summary_of(wide, wide.encoded()).encoded().encode()) < 17 * 1024


def test_summaries_that_are_none() -> None:
    for text in ("", "null", '{"digest": 1}'):
        with pytest.raises(ManifestInvalid):
            parse_summary(text)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"outputs/model.onnx", "outputs/model.onnx"),
        ("große Datei ☃.txt".encode(), "große Datei ☃.txt"),
        (b"a\nb\x1b[31m\x7f", "a\\x0ab\\x1b[31m\\x7f"),
        (b"\xff\xc3", "\\xff\\xc3"),
        (b"back\\slash", "back\\x5cslash"),
        ("txt\u202eexe".encode(), "txt\\xe2\\x80\\xaeexe"),
    ],
)
def test_names_are_shown_harmlessly(path: bytes, expected: str) -> None:
    assert shown(path) == expected


NAMES = st.lists(
    st.binary(min_size=1, max_size=300).filter(
        lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
    ),
    min_size=1,
    max_size=6,
)


@given(NAMES, NAMES)
def test_names_and_keys_stay_different(one: list[bytes], other: list[bytes]) -> None:
    first, second = b"outputs/" + b"/".join(one), b"outputs/" + b"/".join(other)
    assert (shown(first) == shown(second)) == (first == second)
    assert (object_key("job", first) == object_key("job", second)) == (first == second)


@given(NAMES)
def test_keys_fit_every_store(parts: list[bytes]) -> None:
    key = object_key("job", b"outputs/" + b"/".join(parts))
    assert key.startswith("job/outputs/")
    assert len(key) <= 700
    assert all(part not in ("", ".", "..") and len(part) <= 200 for part in key.split("/"))
    assert key.isascii()


def test_plain_names_are_their_own_keys() -> None:
    assert object_key("job", b"outputs/models/a_b-1.csv") == "job/outputs/models/a_b-1.csv"
    for path in (b"outputs/../x", b"outputs//x", b"."):
        with pytest.raises(ValueError, match="part"):
            object_key("job", path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.csv", "text/csv"),
        ("a.PNG", "image/png"),
        ("a.csv.gz", "application/octet-stream"),
        ("a", "application/octet-stream"),
        ("configure.log", "application/octet-stream"),
    ],
)
def test_content_types(name: str, expected: str) -> None:
    assert content_type_of(name, is_log=False) == expected
    assert content_type_of(name, is_log=True) == "text/plain"
