"""The walk of `make demo`, as a test: each step is one, and a step is skipped when one before it failed."""

import pytest

from walk import Walk

STEPS = [title for title, _ in Walk.outline()]


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    walk = Walk(tmp_path_factory.mktemp("walk"))
    yield walk
    walk.end()


@pytest.mark.parametrize("number", range(len(STEPS)), ids=STEPS)
def test_step(walk, number):
    if walk.done < number:
        pytest.skip("a step before this one was not as said")
    walk.take(number)
