"""Foreign models on the command line: in, checked, registered, and a twin made of each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Invoke

VECTORS = Path(__file__).parents[2] / "vectors" / "twin_models.json"
MODELS = json.loads(VECTORS.read_text())["models"]
THERMOSTAT, CONTROLLER, LAMP = (MODELS[at]["document"] for at in (0, 1, 2))

Make = Callable[..., dict[str, Any]]


@pytest.fixture
def made(invoke: Invoke) -> Make:
    """Run a command that succeeds, with a key and a home; return its document."""
    invoke("keys", "new", "alice", "--no-passphrase")

    def run(*words: str) -> dict[str, Any]:
        found = invoke(*words, "--json")
        assert found.status == 0, found.stderr
        document: dict[str, Any] = found.json
        return document

    return run


@pytest.fixture
def file(tmp_path: Path) -> Callable[[Any], str]:
    def write(document: Any) -> str:
        path = tmp_path / "model.json"
        path.write_text(json.dumps(document))
        return str(path)

    return write


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model["name"])
def test_a_sample_becomes_a_template_and_a_twin(
    made: Make, file: Callable[[Any], str], tmp_path: Path, model: dict[str, Any]
) -> None:
    out = str(tmp_path / "out.json")
    found = made("template", "import", file(model["document"]), "-o", out)
    assert found["losses"]
    assert all(loss["path"] and loss["what"] and loss["why"] for loss in found["losses"])
    assert found["file"] == out
    assert json.loads(Path(out).read_text()) == found["template"]
    assert made("template", "check", out)["valid"] is True
    registered = made("template", "register", out)
    twin = made("asset", "create", "T-1", "--template", registered["template"])
    assert twin["template"] == found["id"]


def test_a_twin_is_held_to_what_was_imported(
    invoke: Invoke, made: Make, file: Callable[[Any], str], tmp_path: Path
) -> None:
    out = str(tmp_path / "out.json")
    made("template", "import", file([CONTROLLER, THERMOSTAT]), "-o", out)
    made("template", "register", out)
    words = ("asset", "create", "T-1", "--template", "com-example-temperature-controller-v1")
    twin = made(*words, "--thermostat1", '{"targetTemperature": "70 F"}')
    assert twin["state"]["thermostat1"]["targetTemperature"] == pytest.approx(21.11, abs=0.01)
    assert invoke("asset", "append", "T-1", "--workingSet", "much").status == 7


def test_what_is_lost_is_said_to_people_and_the_template_is_printed(
    invoke: Invoke, file: Callable[[Any], str], home: Path
) -> None:
    run = invoke("template", "import", file(THERMOSTAT))
    assert run.status == 0
    assert json.loads(run.stdout)["id"] == "com-example-thermostat-v1"
    assert "not carried over: 6" in run.stderr
    assert "getMaxMinReport (contents[3]): a template says what is" in run.stderr
    assert not home.exists()
    assert invoke("template", "import", file(THERMOSTAT), "--quiet").stderr == ""


def test_the_file_is_not_overwritten_and_may_come_from_stdin(
    invoke: Invoke, file: Callable[[Any], str], tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    text = "\ufeff" + json.dumps(LAMP)
    run = invoke("template", "import", "-", "-o", str(out), "--dry-run", stdin=text)
    assert (run.status, out.exists()) == (0, False)
    assert invoke("template", "import", "-", "-o", str(out), stdin=text).status == 0
    before = out.read_bytes()
    assert invoke("template", "import", file(THERMOSTAT), "-o", str(out)).status == 5
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("document", "words", "status", "part"),
    [
        ({"a": 1}, (), 2, "--format dtdl|wot|aas"),
        ({**LAMP, "submodels": []}, (), 2, "wot or aas"),
        ({**LAMP, "submodels": []}, ("--format", "wot"), 0, ""),
        ({"a": 1}, ("--format", "dtdl"), 7, "@context"),
        ({"a": 1}, ("--format", "aas"), 7, "shell"),
        (LAMP, ("--format", "xml"), 2, "xml"),
        (LAMP, ("--model", "x"), 2, "--model"),
        ([THERMOSTAT, LAMP], (), 7, "[1]"),
        ({"id": "x-v1", "identifiers": {}, "assetType": "x"}, (), 2, "template check"),
        (
            [THERMOSTAT, {**THERMOSTAT, "@id": "dtmi:ex:b;1"}],
            (),
            2,
            "dtmi:com:example:Thermostat;1, dtmi:ex:b;1",
        ),
        ([THERMOSTAT, {**THERMOSTAT, "@id": "dtmi:ex:b;1"}], ("--model", "dtmi:ex:b;1"), 0, ""),
    ],
)
def test_what_is_not_clear(
    invoke: Invoke,
    file: Callable[[Any], str],
    document: Any,
    words: tuple[str, ...],
    status: int,
    part: str,
) -> None:
    run = invoke("template", "import", file(document), *words)
    assert run.status == status, run.stderr
    assert part in run.stderr


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"PK\x03\x04", "a package"),
        (b"<xml/>", "not JSON"),
        (b"", "not JSON"),
        (b"[" * 100_000, "deep"),
        (b'{"a": 1e400}', "too large for a double"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": "' + b"x" * (9 << 20) + b'"}', "larger than 8 MiB"),
        (b'{"@context": "dtmi:dtdl:context;3", "x": ' + b"[" * 200 + b"]" * 200 + b"}", "deeper"),
    ],
)
def test_bytes_that_are_no_model(invoke: Invoke, tmp_path: Path, data: bytes, part: str) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(data)
    run = invoke("template", "import", str(path))
    assert run.status == 7
    assert part in run.stderr
