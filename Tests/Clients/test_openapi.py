"""/openapi.json is a valid OpenAPI 3.1 document, and what it promises holds against requests that nobody thought of."""

import subprocess
import sys

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

# Everything that schemathesis knows to check is checked (no 500; status, content type, header fields and body as
# declared; refusals of what does not fit; …) but for two things. A schema cannot say that an account exists or that a
# transaction is signed, so not every request that fits it is accepted. And OPTIONS is for browsers that ask first.
LEFT_OUT = "positive_data_acceptance,unsupported_method"
SEED = 20261125


@pytest.fixture(scope="module")
def document(node):
    status, headers, document = node.get("/openapi.json")
    assert status == 200 and headers["content-type"] == "application/json"
    return document


def test_the_document_is_valid(document):
    assert document["openapi"].startswith("3.1")
    validate(document, cls=OpenAPIV31SpecValidator)


def test_every_method_and_route_is_in_it(node, document):
    layers = {path.split("/")[3].split(".")[0] for path in document["paths"] if path.startswith("/v1/methods/")}
    assert layers == {layer["id"] for layer in node.get("/health")[2]["layers"]}
    assert {"/v1/chat/completions", "/v1/completions", "/v1/models"} <= set(document["paths"])


@pytest.mark.parametrize("who", ["anybody", "operator"])
def test_no_request_makes_it_fail(node, tmp_path, who):
    """About 70 operations and 2,500 requests in a quarter of a minute."""
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{node.port}/openapi.json",
        "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "10", "--seed", str(SEED),
        "--checks", "all", "--exclude-checks", LEFT_OUT, "--request-timeout", "60",
        # One: Python 3.11 counts the depth of its parser for all threads together, and two of them trip over it.
        "--workers", "1", "--no-color"]
    if who == "operator":
        token = (node.data / "edge" / "operator.token").read_text().strip()
        command += ["--header", f"Authorization: Bearer {token}"]
    result = subprocess.run(
        command, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=400)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    assert "Selected: " in result.stdout and "Tested: 0" not in result.stdout, result.stdout[-2000:]
    assert node.get("/health")[2]["status"] == "ok"
