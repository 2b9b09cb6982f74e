"""Python's own hashes and OpenSSL's are the same; the second are loaded only for many."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
from types import ModuleType

import pytest

from twincli.crypto import digests

FRESH = """
import sys
from twincli.crypto import digests
few = [digests.{name}(bytes(size)).hexdigest() for size in range(300)]
light = "_hashlib" not in sys.modules
many = [digests.{name}(bytes(900)).hexdigest() for _ in range(1000)]
assert "_hashlib" in sys.modules
import hashlib
assert few == [hashlib.{name}(bytes(size)).hexdigest() for size in range(300)]
assert set(many) == {{hashlib.{name}(bytes(900)).hexdigest()}}
assert type(digests.{name}()) is type(hashlib.{name}())
print(light)
"""

WITHOUT = """
import sys
sys.modules.update({"_sha2": None, "_sha256": None, "_sha3": None})
from twincli.crypto import digests
print(digests.sha256(b"twin").hexdigest(), digests.sha3_256(b"twin").hexdigest())
"""


def fresh(code: str) -> str:
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["sha256", "sha3_256"])
def test_many_hashes_load_openssl_and_a_few_do_not(name: str) -> None:
    assert fresh(FRESH.format(name=name)) == "True\n"


def test_one_long_text_goes_to_openssl_at_once() -> None:
    code = (
        "import sys; from twincli.crypto import digests; "
        "digests.sha256(bytes(1 << 20)); print('_hashlib' in sys.modules)"
    )
    assert fresh(code) == "True\n"


def test_a_python_without_its_own_hashes_has_openssls() -> None:
    expected = f"{hashlib.sha256(b'twin').hexdigest()} {hashlib.sha3_256(b'twin').hexdigest()}\n"
    assert fresh(WITHOUT) == expected


def another(monkeypatch: pytest.MonkeyPatch, *missing: str) -> ModuleType:
    """Return the module as a start without OpenSSL has it."""
    monkeypatch.delitem(sys.modules, "_hashlib")
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    spec = importlib.util.spec_from_file_location("another_digests", digests.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["sha256", "sha3_256"])
def test_the_first_hashes_are_pythons_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, openssl = getattr(another(monkeypatch), name), getattr(hashlib, name)
    assert type(make()) is not type(openssl())
    assert {make(bytes(900)).digest() for _ in range(1000)} == {openssl(bytes(900)).digest()}
    assert type(make()) is type(openssl())


def test_a_version_without_its_own_has_openssls_from_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = another(monkeypatch, "_sha2", "_sha256", "_sha3")
    assert type(module.sha256()) is type(hashlib.sha256())
    assert type(module.sha3_256()) is type(hashlib.sha3_256())


@pytest.mark.parametrize("name", ["sha256", "sha3_256"])
def test_a_hash_takes_in_more_and_can_be_copied(name: str) -> None:
    made = getattr(digests, name)(b"one")
    other = made.copy()
    made.update(b"two")
    reference = getattr(hashlib, name)
    assert made.digest() == reference(b"onetwo").digest()
    assert other.digest() == reference(b"one").digest()
    assert getattr(digests, name)().digest() == reference().digest()
