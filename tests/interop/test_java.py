"""The official Java driver, from Maven Central, against our node.

Fetching it needs Maven Central, so this runs in CI only (``pytest -m ci``).
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.node.running import running
from tests.plugins.tools import require_tool

pytestmark = pytest.mark.ci

# 1.0 resolves as well; 1.1 and the older ones name dependencies that are not there.
POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>interop</groupId><artifactId>tutorial</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>com.bigchaindb</groupId><artifactId>bigchaindb-driver</artifactId>
    <version>1.2</version>
  </dependency></dependencies>
</project>
"""


def test_the_tutorial_through_the_java_driver(tmp_path: Path) -> None:
    java, maven = require_tool("java"), require_tool("mvn")
    (tmp_path / "pom.xml").write_text(POM)
    subprocess.run(
        [maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"],
        cwd=tmp_path,
        check=True,
        timeout=300,
    )
    program = str(Path(__file__).with_name("Tutorial.java"))
    with running(tmp_path / "ledger") as ours:
        done = subprocess.run(
            [java, "-cp", str(tmp_path / "lib" / "*"), program, ours.url],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        height = ours.get("/healthz").json["height"]
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "created": 202,
        "again": 400,
        "wrongKey": 400,
        "transferred": 202,
        "doubleSpend": 400,
        "same": 1,
        "history": 1,
        "spent": 1,
        "unspent": 1,
        "assets": 1,
        "metadata": 1,
        "blocks": 1,
    }
    assert height == 2
