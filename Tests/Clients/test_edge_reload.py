"""The edge is replaced, back and forth, while a thousand requests a second come in: nobody notices."""

import re
import subprocess
import time

import pytest
from load import Load
from node import BUILT, ROOT, Node

ROUNDS = 6


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """The ledger, the edge, and a plugin in C whose streams take a second."""
    folder = tmp_path_factory.mktemp("reload")
    node = Node(folder)
    text = node.config.read_text()
    for layer in ("inference", "application", "governance", "data"):
        text = re.sub(rf"(?ms)^\[plugin\.{layer}\]\n.*?(?=^#|\Z)", "", text)
    library = folder / "libfixture.so"
    subprocess.run(
        ["cc", "-std=gnu11", "-fPIC", "-shared", "-fvisibility=hidden", f"-I{ROOT}/Sources/PluginAPI/include",
         "-o", library, ROOT / "Tests" / "Fixtures" / "fixture.c"], check=True)
    node.config.write_text(text + f'\n[plugin.fixture]\nlibrary = "{library}"\n')
    with node:
        yield node


def test_a_reload_under_load_fails_nobody(node, tmp_path, record_property):
    following = tmp_path / "libEdge-next.so"
    subprocess.run([ROOT / "Scripts" / "build-variant", following, "Edge"], check=True, stdin=subprocess.DEVNULL)
    versions, waits = [], []
    reader = node.cli("token", "create", "--name", "reader", "--methods", "fixture.who")["secret"]
    streams = ("fixture.stream", {"count": 50, "milliseconds": 20}, 50)
    token = (node.data / "edge" / "operator.token").read_text().strip()
    with Load(node.port, rate=1000, stream_body=streams, token=token) as load:
        load.wait_for(1000)
        for number in range(ROUNDS):
            library = following if number % 2 == 0 else BUILT / "layers" / "libEdge.so"
            began = time.monotonic()
            result = node.run("plugin", "reload", "edge", "--library", library)
            waits.append(time.monotonic() - began)
            assert result.returncode == 0, result.stderr
            load.wait_for(1000, streams=4)
            status, _, health = node.get("/health")
            status, _, body = node.request(
                "POST", "/v1/methods/fixture.who", {}, {"Authorization": f"Bearer {reader}"})
            assert status == 200, f"the token did not survive the reload: {body}"
            versions.append(next(layer["version"] for layer in health["layers"] if layer["id"] == "edge"))
        load.wait_for(500)
    rate = load.answered / load.seconds
    print(f"{load.answered} requests, {rate:.0f} a second, {load.reconnected} kept connections, "
          f"{load.streamed} streams, longest answer {load.longest * 1000:.0f} ms, "
          f"reloads {', '.join(f'{wait:.2f}' for wait in waits)} s")
    assert load.failures == [], f"{len(load.failures)} of {load.answered} failed: {load.failures[:5]}"
    assert versions == ["0.1.1", "0.1.0"] * (ROUNDS // 2)
    assert load.streamed >= 4 * ROUNDS
