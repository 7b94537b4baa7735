#!/usr/bin/env python3
r"""Many clients of `fathom serve` at once, by plain sockets. Needs numpy, and a build.

    python bench/serve_load.py streams --streams 1000 --seconds 300
    python bench/serve_load.py rates --rates 5 10 20 --seconds 60
    python bench/serve_load.py prefix --streams 8 --seconds 30
    python bench/serve_load.py faults --streams 50

streams: holds that many streams open, each again when it ends, and prints memory every 30 s, and at the
end the waits for first tokens. rates: requests that arrive at random (Poisson) at these rates a second.
prefix: prompts that begin alike, and the same text where they do not. faults: clients that do what they
should not, beside streams that must not notice. Without --model it makes one of 4 million random
weights. Ends with exit code 1 when an answer was lost, or an error was not the right one.
"""
import argparse, asyncio, json, os, random, re, sys, tempfile, time

from serve_process import Server, random_model

FAILED = []


def check(name, holds, seen=None):
    print(("ok      " if holds else "FAILED  ") + name + ("" if holds else f": {seen}"), flush=True)
    if not holds:
        FAILED.append(name)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def request(body, path="/v1/completions", headers=""):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n{headers}\r\n"
            .encode() + data)


class Result:
    """One stream: when it was asked for, when its events came, and whether it was whole."""

    def __init__(self):
        self.begin, self.events, self.whole, self.seen = time.perf_counter(), [], False, b""

    def first(self):
        return self.events[0] - self.begin

    def gaps(self):
        return [b - a for a, b in zip(self.events, self.events[1:])]


async def stream(port, body):
    """Asks for a stream and reads it to its end."""
    result, tail = Result(), b""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(dict(body, stream=True)))
        while not tail.endswith(b"0\r\n\r\n"):
            data = await reader.read(65536)
            if not data:
                break
            events = (tail[-5:] + data).count(b"data: {") - tail[-5:].count(b"data: {")
            result.events += [time.perf_counter()] * events
            tail = (tail + data)[-200:]
        writer.close()
    except OSError as error:
        tail = str(error).encode()
    result.whole = tail.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n") and b'"error"' not in tail
    result.seen = tail
    return result


async def ask(port, data, limit=120):
    """Sends bytes and returns the status of the answer; 0 when there is none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        line = await asyncio.wait_for(reader.readline(), limit)
        return int(line.split()[1]) if line else 0
    except OSError:
        return 0
    finally:
        writer.close()


async def metrics(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    text = (await reader.read()).decode()
    writer.close()
    return {m[1]: float(m[2]) for m in re.finditer(r"^([\w:]+)\{[^}]*\} (\S+)$", text, re.M)}


async def keep_streaming(port, body, until, results):
    while not until():
        results.append(await stream(port, body))


async def watch_health(port, until, waits):
    while not until():
        begin = time.perf_counter()
        status = await ask(port, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        waits.append(time.perf_counter() - begin if status == 200 else float("inf"))
        await asyncio.sleep(0.2)


async def watch_memory(server, until, seconds=30):
    begin, last = time.time(), 0.0
    while not until():
        if time.time() - last >= seconds:
            last = time.time()
            print(f"  {last - begin:5.0f} s: {server.memory_mb()} MB", flush=True)
        await asyncio.sleep(0.5)


def report(results, seconds, waits=()):
    lost = [r for r in results if not r.whole]
    firsts = [r.first() for r in results if r.events]
    gaps = [g for r in results for g in r.gaps()]
    print(f"{len(results)} answers, {len(lost)} lost, {sum(len(r.events) for r in results) / seconds:.0f} "
          f"events/s; first event: median {percentile(firsts, 0.5):.3f}, p99 {percentile(firsts, 0.99):.3f}, "
          f"longest {max(firsts, default=0):.3f} s; between two: median {percentile(gaps, 0.5) * 1e3:.1f}, "
          f"p99 {percentile(gaps, 0.99) * 1e3:.1f}, longest {max(gaps, default=0) * 1e3:.0f} ms" +
          (f"; /health: longest {max(waits) * 1e3:.0f} ms" if waits else ""), flush=True)
    check("every answer is whole", not lost, lost[:1] and lost[0].seen)


async def streams(server, arguments):
    end, results, waits = time.time() + arguments.seconds, [], []
    body = {"prompt": "Once upon a time there was", "max_tokens": arguments.tokens, "ignore_eos": True}
    over = lambda: time.time() >= end
    await asyncio.gather(watch_memory(server, over), watch_health(server.port, over, waits),
                         *[keep_streaming(server.port, body, over, results) for _ in range(arguments.streams)])
    print(f"  at the end: {server.memory_mb()} MB")
    report(results, arguments.seconds, waits)


async def rates(server, arguments):
    for rate in arguments.rates:
        print(f"{rate} requests/s for {arguments.seconds:g} s:")
        tasks, end, arrival = [], time.time() + arguments.seconds, time.time()
        while arrival < end:
            await asyncio.sleep(max(0, arrival - time.time()))
            body = {"prompt": "x" * random.randint(16, 256), "max_tokens": arguments.tokens, "ignore_eos": True}
            tasks.append(asyncio.create_task(stream(server.port, body)))
            arrival += random.expovariate(rate)
        begin = end - arguments.seconds
        results = await asyncio.gather(*tasks)
        report(results, time.time() - begin)


async def prefix(server, arguments):
    """A system prompt of 1024 tokens and a question of 32, or the question before it."""
    system = "".join(random.choice("abcdefgh ") for _ in range(1024))
    question = lambda: "".join(random.choice("ijklmnop ") for _ in range(32))
    for name, prompt in [("own words first", lambda: question() + system), ("system prompt first", lambda: system + question())]:
        before, end, results = await metrics(server.port), time.time() + arguments.seconds, []

        async def client():
            while time.time() < end:
                body = {"prompt": prompt(), "max_tokens": arguments.tokens, "ignore_eos": True}
                results.append(await stream(server.port, body))
        await asyncio.gather(*[client() for _ in range(arguments.streams)])
        after = await metrics(server.port)
        hits, queries = (after[f"vllm:prefix_cache_{x}_total"] - before[f"vllm:prefix_cache_{x}_total"]
                         for x in ("hits", "queries"))
        print(f"{name}: {hits / queries * 100:.1f} % of prompts' tokens from the cache")
        report(results, arguments.seconds)


async def vanish(port, count):
    """Clients that leave at once, or in the middle of a stream."""
    for i in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request({"prompt": "x", "max_tokens": 1500, "ignore_eos": True, "stream": i % 2 == 0}))
        if i % 4 == 0:
            await reader.readline()
        writer.transport.abort()


async def send_slowly(port, data, seconds):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    parts = 20
    for i in range(parts):
        writer.write(data[len(data) * i // parts:len(data) * (i + 1) // parts])
        await asyncio.sleep(seconds / parts)
    line = await reader.readline()
    writer.close()
    return int(line.split()[1]) if line else 0


async def read_nothing(port):
    """A client that asks for megabytes and reads none of them, for 10 s."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(request({"prompt": "x" * 1000, "max_tokens": 1000, "n": 4, "echo": True, "logprobs": 20,
                          "ignore_eos": True, "stream": True}))
    await asyncio.sleep(10)
    writer.transport.abort()


async def faults(server, arguments):
    port, over, results, waits = server.port, [False], [], []
    body = {"prompt": "Once upon a time there was", "max_tokens": arguments.tokens, "ignore_eos": True}
    until = lambda: over[0]
    beside = asyncio.gather(watch_health(port, until, waits),
                            *[keep_streaming(port, body, until, results) for _ in range(arguments.streams)])
    begin = time.time()
    ok = request({"prompt": "x", "max_tokens": 2})
    stops = b'{"prompt":"x","stop":["a"' + b',"b"' * 1_000_000 + b"]}"
    for name, data, statuses in [
            ("garbage", os.urandom(64) + b"\r\n\r\n", {400}),
            ("TLS to a plain server", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n", {400}),
            ("a header of 10 MB", b"GET /health HTTP/1.1\r\nX: " + b"x" * 10_000_000 + b"\r\n\r\n", {431, 0}),
            ("bad UTF-8", request(b'{"prompt":"\xff\xfe"}'), {400}),
            ("a million stop strings", request(stops), {400}),
            ("JSON a million deep", request(b"[" * 1_000_000), {400}),
            ("a body of 9 MB", request(b" " * 9_000_000), {413}),
            ("a prompt too long", request({"prompt": "x" * 4000}), {400}),
            ("a field of the wrong type", request({"prompt": {"a": 1}}), {400}),
            ("log-probabilities of a long prompt", request({"prompt": "x" * 1900, "echo": True, "logprobs": 20,
                                                            "max_tokens": 1}), {200})]:
        status = await ask(port, data)
        check(name, status in statuses, status)
    check("a request sent over 5 s", await send_slowly(port, ok, 5) == 200)
    await vanish(port, 100)
    await asyncio.gather(*[read_nothing(port) for _ in range(8)])
    silent = await ask(port, b"GET /health HTT", 60)
    check("a header that does not end", silent == 408, silent)
    over[0] = True
    await beside
    report(results, time.time() - begin, waits)
    for _ in range(200):
        state = await metrics(port)
        if state["vllm:num_requests_running"] + state["vllm:num_requests_waiting"] == 0:
            break
        await asyncio.sleep(0.1)
    check("nothing is left in the engine", state["vllm:num_requests_running"] == 0 and
          state["vllm:kv_cache_usage_perc"] == 0, state)
    tasks = [asyncio.create_task(stream(port, body)) for _ in range(arguments.streams)]
    await asyncio.sleep(1)
    server.begin_stop()
    ended = await asyncio.gather(*tasks)
    wrong = [r.seen for r in ended if not r.whole and b"the server is stopping" not in r.seen]
    check(f"SIGTERM: {sum(r.whole for r in ended)} of {len(ended)} streams end, the others by an error", not wrong,
          wrong[:1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["streams", "rates", "prefix", "faults"])
    parser.add_argument("--fathom", default="build/release/fathom")
    parser.add_argument("--model", help="a model directory; default: one of random weights")
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--tokens", type=int, default=32, help="tokens of an answer")
    parser.add_argument("--rates", type=float, nargs="+", default=[2, 5, 10])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--server", nargs="*", default=[], help="more switches of fathom serve, without their dashes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if not arguments.model:
            random_model(folder, hidden=256, layers=4, heads=4, inner=1024)
        switches = [f"--{switch}" if not switch[0].isdigit() else switch for switch in arguments.server]
        server = Server(arguments.fathom, arguments.model or folder, "--max-waiting",
                        str(max(1024, 2 * arguments.streams)), *switches)
        mode = {"streams": streams, "rates": rates, "prefix": prefix, "faults": faults}[arguments.mode]
        asyncio.run(mode(server, arguments))
        check("SIGTERM ends it with exit code 0", server.stop() == 0)
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
