"""What answers must look like."""


def is_same(got, wanted, what):
    """Long bytes, of which a failure tells where they begin to differ."""
    if got == wanted:
        return
    at = next((n for n, pair in enumerate(zip(got, wanted)) if pair[0] != pair[1]), min(len(got), len(wanted)))
    raise AssertionError("%s: %d bytes instead of %d; from %d on %r instead of %r"
                         % (what, len(got), len(wanted), at, got[at:at + 40], wanted[at:at + 40]))


def is_json(response, status=200):
    assert response.status == status, response
    assert response.header("Content-Type") == "application/json", response.fields
    return response.json()


def is_problem(response, status, reason, call=None):
    """An RFC 9457 document with the reason token and, when one decided, the name of the call."""
    assert response.status == status, response
    assert response.header("Content-Type") == "application/problem+json", response.fields
    body = response.json()
    assert body["status"] == status, body
    assert body["reason"] == reason, body
    assert body["title"], body
    assert body.get("call") == call, body
    if status == 503:
        assert int(response.header("Retry-After")) >= 1, response.fields
    return body


def is_shed(response, reason, call=None):
    return is_problem(response, 503, reason, call)


def is_partial(response, **errors):
    """A partial answer whose metadata names these calls with these reasons."""
    body = is_json(response)
    meta = body["_meta"]
    assert meta["complete"] is False, meta
    assert {name: call["error"] for name, call in meta["calls"].items()} == errors, meta
    assert all(call["ms"] >= 0 for call in meta["calls"].values()), meta
    missing = {name for name, call in meta["calls"].items() if "items" not in call}  # those have gaps
    assert not missing & (body.keys() - {"_meta"}), body
    return body
