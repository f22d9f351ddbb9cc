"""The engine predicts what a float32 model predicts, within the limits of Scripts/reference/faithfulness.py."""

import sys

import pytest
from node import BUILT, MODELS, ROOT

sys.path.insert(0, str(ROOT / "Scripts" / "reference"))

from faithfulness import compare  # noqa: E402

NAMES = ["SmolLM2-135M-Instruct.Q4_1.gguf", "gemma-3-270m-q4_k_m.gguf"]


@pytest.mark.parametrize("name", NAMES)
def test_predictions_are_those_of_the_float32_model(name):
    tallies = compare(MODELS / name, BUILT / "EngineBench")
    assert len(tallies) >= 4 and all(tally.positions >= 500 for tally in tallies)
    print(*tallies, sep="\n")
    assert [fault for tally in tallies for fault in tally.faults()] == []
