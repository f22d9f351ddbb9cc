"""The completion scripts in the shells that they are for, with a running node."""

import os
import pty
import select
import shutil
import subprocess
import time

import pytest
from node import BUILT

# What is typed, and what the word under the cursor becomes.
TYPED = [("symbolon sta", "status"), ("symbolon plugin dis", "disable"), ("symbolon ledg", "ledger"),
         ("symbolon ledger bal", "balance"), ("symbolon ledger history --cur", "--cursor"),
         ("symbolon run --saf", "--safe-mode")]


@pytest.fixture(scope="module")
def environment(node, tmp_path_factory):
    home = tmp_path_factory.mktemp("shell")
    variables = {"SYMBOLON_CONFIG": str(node.config), "PATH": f"{BUILT}:{os.environ['PATH']}", "HOME": str(home),
                 "TERM": "dumb"}
    for shell, name in {"zsh": "_symbolon", "fish": "symbolon.fish"}.items():
        script = subprocess.run(
            [BUILT / "symbolon", "completion", shell], env=variables, capture_output=True, check=True)
        (home / name).write_bytes(script.stdout)
    return variables


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
@pytest.mark.parametrize("typed,word", TYPED)
def test_fish_completes(environment, typed, word):
    script = f"source {environment['HOME']}/symbolon.fish; complete -C '{typed}'"
    result = subprocess.run(["fish", "--no-config", "-c", script], env=environment, capture_output=True, text=True)
    assert word in [line.split("\t")[0] for line in result.stdout.splitlines()], result


class Zsh:
    """An interactive zsh on a terminal of its own."""

    def __init__(self, environment):
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.chdir(environment["HOME"])
            os.execvpe("zsh", ["zsh", "-f", "-i"], environment)
        self.seen = ""

    def type(self, text):
        os.write(self.terminal, text.encode())

    def wait_for(self, text, seconds=120):
        """Reads until the text has come; the time is when to give up."""
        limit = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < limit, self.seen
            if select.select([self.terminal], [], [], 1)[0]:
                self.seen += os.read(self.terminal, 65536).decode(errors="replace")

    def end(self):
        os.close(self.terminal)
        os.waitpid(self.process, 0)


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
@pytest.mark.parametrize("typed,word", TYPED)
def test_zsh_completes(environment, typed, word):
    shell = Zsh(environment)
    try:
        # What the shell echoes of this does not hold the word that it prints.
        folder = environment["HOME"]
        shell.type(f"PS1='> '; fpath=({folder} $fpath); autoload -U compinit; compinit -u -D; echo RE''ADY\n")
        shell.wait_for("READY")
        shell.seen = ""
        # A beep or a pause may part what it writes, so the line is asked of the shell itself.
        shell.type("show() { echo BUF''FER=$BUFFER; zle redisplay }; zle -N show; bindkey '^X' show\n")
        shell.type(typed + "\t\x18")
        shell.wait_for("BUFFER=" + typed.rsplit(" ", 1)[0] + " " + word)
    finally:
        shell.end()
