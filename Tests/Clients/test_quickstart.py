"""The quickstart, run as written: each `sh` block of docs/quickstart.md, in order, in one shell.

A newcomer's home folder is a scratch one, the port a free one; all else is what the document says. The node is
started as `make run` starts it.
"""

import os
import re
import signal
import subprocess
import threading

import pytest
from node import MODELS, ROOT, configuration, free_port

DOCUMENT = (ROOT / "docs" / "quickstart.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)
LINKED = (".build", "Examples", "Scripts", "Sources")


class Newcomer:
    """A home folder, a clone to stand in, and a node in the foreground of another terminal."""

    def __init__(self, home):
        self.port = free_port()
        self.clone = home / "symbolon"
        self.clone.mkdir()
        for name in LINKED:
            (self.clone / name).symlink_to(ROOT / name)
        text = configuration(f"127.0.0.1:{self.port}", "~/.symbolon")
        (self.clone / "plugins.conf").write_text(text)
        self.environment = {**os.environ, "HOME": str(home), "SYMBOLON_MODELS": str(MODELS)}
        self.environment.pop("SYMBOLON_CONFIG", None)

    def start(self):
        self.process = subprocess.Popen(
            [self.clone / "Scripts" / "run", self.clone / "plugins.conf"], cwd=self.clone, env=self.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True)
        self.said = []
        greeted = threading.Event()

        def listen():
            for line in self.process.stdout:
                self.said.append(line)
                if "Ask it something" in "".join(self.said) and line.strip().endswith("-N"):
                    greeted.set()
            greeted.set()

        self.listener = threading.Thread(target=listen)
        self.listener.start()
        assert greeted.wait(60) and self.process.poll() is None, "".join(self.said)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(30)
        self.listener.join()
        return status

    def shell(self, script, timeout=300):
        return subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=self.clone, env=self.environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory):
    newcomer = Newcomer(tmp_path_factory.mktemp("home"))
    newcomer.start()
    yield newcomer
    if newcomer.process.poll() is None:
        newcomer.stop()


def test_the_printed_curl_line_works_as_it_is(newcomer):
    said = "".join(newcomer.said)
    command = said[said.index("curl http"):].split("-N", 1)[0] + "-N"
    result = newcomer.shell(command)
    assert result.returncode == 0, result.stderr
    assert result.stdout.rstrip().endswith("data: [DONE]"), result.stdout[-500:]


def test_every_command_of_the_quickstart_succeeds(newcomer):
    assert len(BLOCKS) > 5
    script = "".join(f"echo '### block {number}'\n{block}\n" for number, block in enumerate(BLOCKS, 1))
    result = newcomer.shell(script.replace("127.0.0.1:8080", f"127.0.0.1:{newcomer.port}"))
    assert result.returncode == 0, f"{result.stdout[-3000:]}\n{result.stderr[-1500:]}"


def test_the_key_is_private_and_used_again_after_a_restart(newcomer):
    file = newcomer.clone.parent / ".symbolon" / "development.key"
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_text()
    assert newcomer.stop() == 0, "".join(newcomer.said)[-2000:]
    newcomer.start()
    assert file.read_text() == before
    assert f"Bearer {before.strip()}" in "".join(newcomer.said)
    assert newcomer.stop() == 0
