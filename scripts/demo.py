"""The talking part of scripts/demo.

demo.py ports FILE COPY   copies the configuration, with ports that are free; prints the two ports
demo.py ready PORT        succeeds once the admin listener there says that gatherd serves
demo.py show URL LOG      makes the requests, prints the answers and a waterfall of the calls out of the
                          access log; fails unless the answers are right
"""
import json
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request

WIDTH = 40
GATHERED = ('{"auth":{"user":"42","scope":["read","pay"]},"inventory":{"item":"42","available":7},'
            '"payment":{"item":"42","price":19.90,"currency":"EUR"}}')


def free_port(wanted):
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise SystemExit("demo: no free port")


def ports(source, copy):
    with open(source, encoding="utf-8") as f:
        text = f.read()
    chosen = []
    for wanted in re.findall(r"address: 127\.0\.0\.1:(\d+)", text):
        chosen.append(free_port(int(wanted)))
        text = text.replace("127.0.0.1:" + wanted, "127.0.0.1:%d" % chosen[-1])
    with open(copy, "w", encoding="utf-8") as f:
        f.write(text)
    print(*chosen)


def ready(port):
    with urllib.request.urlopen("http://127.0.0.1:%s/readyz" % port, timeout=10) as answer:
        return 0 if answer.status == 200 else 1


def curl(url):
    """(status, fields in lower case, body, seconds) as curl sees them."""
    command = ["curl", "-sS", "-i", "--max-time", "60", "-w", "\n%{time_total}", url]
    out = subprocess.run(command, check=True, capture_output=True).stdout
    head, rest = out.decode().split("\r\n\r\n", 1)
    body, took = rest.rsplit("\n", 1)
    lines = head.split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), fields, body, float(took)


def record(log, path):
    """The access-log record of that path, once it is written."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with open(log, encoding="utf-8") as f:
            for line in f:
                if line.startswith("{") and '"%s"' % path in line:
                    return json.loads(line)
        time.sleep(0.02)
    raise SystemExit("demo: no access-log record of " + path)


def seconds_of(calls):
    return sum(c["total_ms"] for c in calls) / 1000


def waterfall(calls, total):
    for call in calls:
        seconds = call["total_ms"] / 1000
        print("    %-10s %-*s %.2f s  %s" % (call["name"], WIDTH, "#" * max(1, round(WIDTH * seconds / total)), seconds,
                                           call["status"] if call["reason"] == "none" else call["reason"]))
    print("    %-10s %-*s %.2f s  (one after the other: %.2f s)"
          % ("total", WIDTH, "=" * WIDTH, total, seconds_of(calls)))


def expect(is_right, what):
    if not is_right:
        raise SystemExit("demo: the answer is not right: " + what)


def show_gather(url, log):
    print("\n$ curl %s/checkout/42" % url)
    status, _, body, took = curl(url + "/checkout/42")
    print(body)
    expect(status == 200 and body == GATHERED, "three parts as the services sent them")
    calls = record(log, "/checkout/42")["calls"]
    expect(2.9 < took < 0.8 * seconds_of(calls), "after 3 s, not %.2f s" % took)
    print()
    waterfall(calls, took)


def show_partial(url, log):
    print("\n$ curl %s/checkout/42/quick      # payment is optional here and has 1.5 s" % url)
    status, _, body, took = curl(url + "/checkout/42/quick")
    print(body)
    answer = json.loads(body)
    expect(status == 200 and list(answer) == ["inventory", "_meta"] and answer["_meta"]["calls"]["payment"]["error"] == "timeout",
           "payment missing and named")
    print()
    waterfall(record(log, "/checkout/42/quick")["calls"], took)


def two_at_once(url):
    answers = []
    threads = [threading.Thread(target=lambda n=n: answers.append(curl("%s/tickets/%d" % (url, n)))) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(answers, key=lambda a: a[0])


def show_shed(url):
    print("\n$ curl %s/tickets/1 & curl -i %s/tickets/2      # one at a time, nobody waits" % (url, url))
    served, refused = two_at_once(url)
    for _ in range(10):
        if refused[0] != 200:
            break
        served, refused = two_at_once(url)  # this machine was busy: the second one came when the first was served
    expect(served[0] == 200 and refused[0] == 503 and "retry-after" in refused[1] and refused[3] < served[3],
           "one served, one refused at once")
    for status, fields, body, took in (served, refused):
        retry = "  Retry-After: %s" % fields["retry-after"] if status == 503 else ""
        print("%d after %.2f s%s\n%s" % (status, took, retry, body))


def show(url, log):
    show_gather(url, log)
    show_partial(url, log)
    show_shed(url)


if __name__ == "__main__":
    sys.exit({"ports": ports, "ready": ready, "show": show}[sys.argv[1]](*sys.argv[2:]))
