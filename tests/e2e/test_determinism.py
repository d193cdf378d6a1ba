"""The same request has the same answer, byte by byte, in whatever order the calls end.

The request says how long each call takes, so each of the runs has an order of its own.
"""
import concurrent.futures
import hashlib
import random

RUNS = 10000
SLOWEST_MS = 3
CLIENTS = 40

ORDERS = {"rows": [{"id": n, "product": {"id": n % 4}, "ts": "t%d" % n, "internal": n * 1.5} for n in range(6)], "total": 6}
ANSWERS = {  # of the upstreams: a path, then the milliseconds that it takes
    "/user": {"json": {"name": "Ada", "tier": "gold", "tags": ["a"], "secret": 1}},
    "/orders": {"json": ORDERS},
    "/offers/gold": {"json": {"offers": [1, 2], "tags": ["b"]}},
    "/more": {"json": {"offers": [3], "name": "Bob"}},
    "/broken": {"status": 500, "json": {"error": 1}},
    "/lacking": {"status": 503},
    "/prices": {"json": [{"id": 3, "price": 1.10}, {"id": 1, "price": 2E3}, {"id": 0, "price": 0}, {"id": 2, "price": -0.0}]},
    **{"/products/%d" % n: {"json": {"id": n, "name": "p%d" % n}} for n in range(4)},
}
EACH = "{calls.orders.result[].product.id}"
CALLS = {
    "user": {"path": "/user/{query.user}", "drop": "secret", "into": "user"},
    "orders": {"path": "/orders/{query.orders}", "from": "rows", "drop": "[].internal", "rename": {"[].ts": "at"}},
    "products": {"path": "/products/{item}/{query.products}", "for_each": EACH, "parallel": 3, "into": "orders[].product.is"},
    "shared": {"path": "/products/{item}/{query.shared}", "for_each": EACH, "distinct": True},
    "prices": {"path": "/prices/{query.prices}", "for_each": EACH, "distinct": True, "batch": {"max": 10, "match": "id"}},
    "offers": {"path": "/offers/{calls.user.result.tier}/{query.offers}", "into": "user"},
    "more": {"path": "/more/{query.more}", "into": "user"},
    "standin": {"path": "/broken/{query.standin}", "default": {"n": 1}},
    "lacking": {"path": "/lacking/{query.lacking}", "required": False},
}
RESPONSE = {"on_conflict": "deep", "partial": {"meta": ""}, "move": {"user.tier": "tier"}, "append": {"shared": "all"},
            "drop": ["shared", "orders[].at"], "static": {"json": {"static": True}}}


def conf():
    mock = [{"path": "%s/%d" % (path, ms), "delay": "%dms" % ms, **answer}
            for path, answer in ANSWERS.items() for ms in range(SLOWEST_MS + 1)]
    calls = {name: {"upstream": "up", **call} for name, call in CALLS.items()}
    return [{"path": "/", "calls": calls, "response": RESPONSE}], {"up": {"mock": mock}}


def hashes(d, seed, runs):
    """The set of different answers of so many requests."""
    chooser, found = random.Random(seed), {}
    with d.client() as client:
        for _ in range(runs):
            delays = "&".join("%s=%d" % (name, chooser.randint(0, SLOWEST_MS)) for name in CALLS)
            answer = client.request("/?" + delays)
            text = b"%d %r %s" % (answer.status, answer.all("Proxy-Status"), answer.body)
            found[hashlib.sha256(text).hexdigest()] = text
    return found


def order_of(record):
    """The names of a record's calls as they ended."""
    return tuple(sorted(CALLS, key=lambda name: [c["total_ms"] for c in record["calls"] if c["name"] == name][0]))


def test_the_answer_does_not_depend_on_the_order_of_completion(gatherd):
    d = gatherd(*conf())
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        found = {}
        for each in pool.map(lambda seed: hashes(d, seed, RUNS // CLIENTS), range(CLIENTS)):
            found.update(each)
    assert len(found) == 1, list(found.values())[:3]
    assert b'"tier":"gold"' in list(found.values())[0]
    # on a busy machine more of the delays end in one turn, and then in one order: then there are more runs to be made
    for seed in range(CLIENTS, 2 * CLIENTS):
        orders = {order_of(record) for record in d.access_log(RUNS)}
        if len(orders) > 500:
            break
        found.update(hashes(d, seed, RUNS // CLIENTS))
    assert len(orders) > 500, len(orders)
    assert len(found) == 1, list(found.values())[:3]
