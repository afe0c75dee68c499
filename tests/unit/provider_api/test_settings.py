"""Settings: one tree, from names of an environment, and nothing unknown."""

from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from provider_api.keys import KeyMissing, keys_of, load_keys
from provider_api.settings import ProviderSettings, Settings, UnknownSetting, known_names, load_settings

pytestmark = pytest.mark.unit


def _kind_of(name: str) -> object:
    """The type of a setting's value, None for a group; optional ones count as what they hold."""
    kind: Any = Settings
    for part in name.removeprefix("C2D_").lower().split("__"):
        kind = kind.model_fields[part].annotation
    kinds = [each for each in get_args(kind) if each is not type(None)] or [kind]
    return kinds[0] if len(kinds) == 1 else None


# Public development key (account 3 of the mnemonic that every test chain uses).
KEY = "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"


def test_nothing_set() -> None:
    settings = load_settings({})
    assert settings == Settings()
    assert settings.server.port == 8030
    assert settings.chains == ()
    assert settings.model_fields_set == set()
    assert settings.storage_url().startswith("sqlite:////")
    assert settings.results_url().startswith("file:///")


def test_nested_names_and_lists() -> None:
    settings = load_settings(
        {
            "C2D_SERVER__PORT": "0",
            "C2D_ARGO__URL": "https://argo",
            "C2D_CHAINS": '[{"url": "http://a", "confirmations": 3}, {"url": "http://b", "fee_token": "0x1"}]',
            "C2D_OUTGOING__ALLOW_PRIVATE": '["127.0.0.1:9000@*"]',
            "C2D_RESULTS__OPTIONS": '{"endpoint": "http://s3"}',
            "C2D_POLICY__TRUSTED_LISTS_EMPTY": "deny",
            "UNRELATED": "x",
        }
    )
    assert (settings.server.port, settings.server.host) == (0, "127.0.0.1")
    assert settings.argo.url == "https://argo"
    assert [chain.confirmations for chain in settings.chains] == [3, 1]
    assert settings.outgoing.allow_private == ("127.0.0.1:9000@*",)
    assert settings.results.options["endpoint"].get_secret_value() == "http://s3"
    assert settings.policy.trusted_lists_empty == "deny"
    assert "argo" in settings.model_fields_set
    assert "storage" not in settings.model_fields_set


def test_given_values_win() -> None:
    assert load_settings({"C2D_DATA_FOLDER": "/a"}, data_folder=Path("/b")).data_folder == Path("/b")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("C2D_ARGO__URLL", "C2D_ARGO__URL"), ("C2D_SERVER_PORT", "C2D_SERVER__PORT"), ("C2D_XYZZY_PLUGH", None)],
)
def test_an_unknown_name_stops_the_start(name: str, nearest: str | None) -> None:
    with pytest.raises(UnknownSetting) as unknown:
        load_settings({name: "1"})
    assert (unknown.value.name, unknown.value.nearest) == (name, nearest)


def test_a_wrong_value_stops_the_start() -> None:
    with pytest.raises(ValidationError):
        load_settings({"C2D_SERVER__PORT": "many"})
    with pytest.raises(ValidationError):
        load_settings({"C2D_CHAINS": '[{"url": "http://a", "confirmation": 3}]'})


def test_secrets_do_not_show() -> None:
    settings = load_settings({"C2D_PROVIDER__KEY": KEY, "C2D_STORAGE__URL": "postgresql+asyncpg://u:secret@h/d"})
    assert KEY not in repr(settings)
    assert "secret" not in repr(settings).replace("SecretStr", "")
    assert KEY[2:] not in repr(load_keys(settings.provider))


def test_every_field_has_a_name() -> None:
    names = set(known_names())
    assert {"C2D_ARGO__URL", "C2D_PROVIDER__KEY_FILE", "C2D_LIMITS__RETRY_AFTER_SECONDS"} <= names


def test_the_keys_are_derived(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY.removeprefix("0x").upper() + "\n")
    keys = load_keys(ProviderSettings(key_file=tmp_path / "key"))
    assert keys.address == "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
    assert bytes(keys.box) == bytes(keys_of(KEY).box), "every replica derives the same box key"
    assert bytes(keys.box).hex() not in KEY


@pytest.mark.parametrize("text", ["", "0x12", "z" * 64, KEY + "0"])
def test_a_bad_key_is_not_repeated(text: str) -> None:
    with pytest.raises(KeyMissing) as missing:
        keys_of(text)
    assert not text or text not in str(missing.value)


def test_no_key_says_what_to_set() -> None:
    with pytest.raises(KeyMissing, match="C2D_PROVIDER__KEY"):
        load_keys(ProviderSettings())
    with pytest.raises(KeyMissing):
        load_keys(ProviderSettings(key_file=Path("/nonexistent")))


# --- limits -----------------------------------------------------------------------------------------------------------

NUMBERS = [name for name in known_names() if _kind_of(name) in (int, float)]


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_has_bounds(name: str) -> None:
    """Whatever setting comes next: what is negative or no finite number is refused at load."""
    for value in ("-1", "-5", "nan", "inf", "-inf"):
        with pytest.raises(ValidationError):
            load_settings(_around(name, value))


@pytest.mark.parametrize(
    "name",
    [
        "C2D_LIMITS__LIST_LIMIT",
        "C2D_LIMITS__DATASETS",
        "C2D_LIMITS__TOKEN_SECONDS",
        "C2D_LIMITS__RETRY_AFTER_SECONDS",
        "C2D_LIMITS__CLAIM_LEASE_SECONDS",
        "C2D_ARGO__TIMEOUT_SECONDS",
        "C2D_METADATA__TIMEOUT_SECONDS",
        "C2D_ACCESS__TIMEOUT_SECONDS",
        "C2D_OUTGOING__TIMEOUT_SECONDS",
        "C2D_OUTGOING__MAX_ALGORITHM_BYTES",
        "C2D_SERVER__MAX_BODY_BYTES",
        "C2D_SERVER__SHUTDOWN_SECONDS",
        "C2D_OPERATOR__NONCE_WINDOW_SECONDS",
    ],
)
def test_what_would_leave_nothing_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        load_settings({name: "0"})


@pytest.mark.parametrize(
    "given",
    [
        {"C2D_ARGO__TIMEOUT_SECONDS": "60"},
        {"C2D_LIMITS__CLAIM_LEASE_SECONDS": "14.9"},
        {"C2D_ARGO_SERVERS": '{"01": {"url": "http://a", "timeout_seconds": 21}}'},
    ],
)
def test_a_lease_that_a_submission_may_outlive_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=r"C2D_LIMITS__CLAIM_LEASE_SECONDS .* at least .* C2D_ARGO__TIMEOUT"):
        load_settings(given)
    assert load_settings({"C2D_ARGO__TIMEOUT_SECONDS": "60", "C2D_LIMITS__CLAIM_LEASE_SECONDS": "90"})


def _around(name: str, value: str) -> dict[str, str]:
    """What else must be there so that nothing but the number is wrong."""
    pair = {"C2D_PUBLICATION__CHAIN_ID": {"C2D_PUBLICATION__KEY_FILE": "/k"}}
    return {name: value} | pair.get(name, {})
