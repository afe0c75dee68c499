"""Settings as people write them: what is taken, and the one line for what is not."""

from __future__ import annotations

import json
from typing import Any, get_origin

import pytest
from pydantic import BaseModel, ValidationError

from provider_api.cli.startup_errors import explain
from provider_api.settings import PREFIX, Settings, load_settings
from provider_api.settings.text import SettingUnreadable

pytestmark = pytest.mark.unit

SECRET = "a-secret-that-nobody-may-read"
KEY = "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"


def _containers(model: type[BaseModel] = Settings, prefix: str = PREFIX) -> list[tuple[str, Any]]:
    """Every setting that is a list or a table, and every group of settings."""
    found = []
    for name, field in model.model_fields.items():
        full, kind = f"{prefix}{name}".upper(), field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += [(full, dict), *_containers(kind, full + "__")]
        elif get_origin(kind) in (tuple, dict):
            found.append((full, kind))
    return found


CONTAINERS = _containers()
WORDS = [name for name, kind in CONTAINERS if get_origin(kind) is tuple and name != "C2D_CHAINS"]


def test_there_are_some() -> None:
    assert {"C2D_CHAINS", "C2D_RESULTS__OPTIONS", "C2D_SERVER", "C2D_ARGO_SERVERS"} <= {name for name, _ in CONTAINERS}
    assert {"C2D_SERVER__PUBLIC_URLS", "C2D_OPERATOR__ADMINS", "C2D_OUTGOING__ALLOW_PRIVATE"} <= set(WORDS)


UNREADABLE = ("{", '["', f"{{{SECRET}", f'"{SECRET}"')


@pytest.mark.parametrize(
    ("name", "text"),
    [(name, text) for name, _ in CONTAINERS for text in UNREADABLE]
    # Where words with commas are taken, these two are a list of one word.
    + [(name, text) for name, _ in CONTAINERS if name not in WORDS for text in ("null", "tru")],
)
def test_what_cannot_be_read_is_named_in_one_line(name: str, text: str) -> None:
    with pytest.raises(SettingUnreadable) as unreadable:
        load_settings({name.lower(): text})
    said = explain(unreadable.value)
    assert said.startswith(f"settings: {name} cannot be read: expected a ")
    assert f"for example {name}='" in said
    assert "\n" not in said
    assert SECRET not in said


@pytest.mark.parametrize(("name", "kind"), CONTAINERS)
def test_the_other_kind_of_json_is_none(name: str, kind: Any) -> None:
    with pytest.raises(SettingUnreadable):
        load_settings({name: "{}" if get_origin(kind) is tuple else "[]"})


@pytest.mark.parametrize("text", ["10.0.0.1:9000,10.0.0.2:80", " 10.0.0.1:9000 , 10.0.0.2:80,", "10.0.0.1:9000"])
def test_words_with_commas(text: str) -> None:
    wanted = tuple(part.strip() for part in text.split(",") if part.strip())
    assert load_settings({"C2D_OUTGOING__FORBID": text}).outgoing.forbid == wanted
    assert load_settings({"C2D_OUTGOING__FORBID": json.dumps(wanted)}).outgoing.forbid == wanted


@pytest.mark.parametrize("name", WORDS)
def test_an_empty_text_is_an_empty_list(name: str) -> None:
    load_settings({name: ""})


def test_an_example_is_readable() -> None:
    """What a message offers as an example is taken by the setting, where it is a whole one."""
    for name in (each for each in WORDS if each not in ("C2D_ACCESS__AUTHORIZED_DECRYPTERS",)):
        with pytest.raises(SettingUnreadable) as unreadable:
            load_settings({name: "["})
        example = str(unreadable.value).partition(f"{name}='")[2].removesuffix("'")
        load_settings({name: example})


WRONG: dict[str, tuple[dict[str, str], str]] = {
    "a database of another kind": ({"C2D_STORAGE__URL": f"mysql://u:{SECRET}@h/d"}, "C2D_STORAGE__URL: mysql:// is no"),
    "a driver that waits": ({"C2D_STORAGE__URL": f"postgresql://u:{SECRET}@h/d"}, "postgresql+asyncpg://"),
    "no database at all": ({"C2D_STORAGE__URL": SECRET}, "sqlite://"),
    "a database at no port": (
        {"C2D_STORAGE__URL": f"postgresql+asyncpg://u:{SECRET}@h:port/d"},
        "C2D_STORAGE__URL: this is no address",
    ),
    "no port": ({"C2D_OUTGOING__ALLOW_PRIVATE": "127.0.0.1"}, "C2D_OUTGOING: "),
    "a network with bits behind it": ({"C2D_OUTGOING__ALLOW_PRIVATE": "10.0.0.1/8:80"}, "C2D_OUTGOING: "),
    "a port that is none": ({"C2D_OUTGOING__FORBID": "10.0.0.1:http"}, "C2D_OUTGOING: "),
    "two keys": ({"C2D_PROVIDER__KEY": KEY, "C2D_PROVIDER__KEY_FILE": "/a"}, "C2D_PROVIDER: key and key_file"),
    "one port twice": (
        {"C2D_SERVER__PORT": "8030", "C2D_METRICS__PORT": "8030"},
        "C2D_SERVER__PORT and C2D_METRICS__PORT are both 8030",
    ),
    "one port by default": ({"C2D_PUBLICATION__PORT": "8030"}, "C2D_SERVER__PORT and C2D_PUBLICATION__PORT"),
    "a number that is none": ({"C2D_SERVER__PORT": "many"}, "C2D_SERVER__PORT: "),
    "a chain": ({"C2D_CHAINS": '[{"url": "ftp://a"}]'}, "C2D_CHAINS[0]__URL: "),
}


@pytest.mark.parametrize(("environment", "said"), WRONG.values(), ids=WRONG)
def test_what_can_never_work_is_refused_with_its_name(environment: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        load_settings(environment)
    line = explain(wrong.value)
    assert line.startswith("settings: ")
    assert said in line
    assert "\n" not in line
    assert not any(secret in line for secret in (SECRET, KEY))


def test_ports_that_the_system_chooses_may_be_the_same() -> None:
    load_settings({"C2D_SERVER__PORT": "0", "C2D_METRICS__PORT": "0", "C2D_PUBLICATION__PORT": "0"})
