#!/usr/bin/env python3
"""Tries the server's pages in Chromium, as a reader would.

    tests/serve/pages_test.py [--server build/release/tests/serve/page_server] [--out DIR]

Needs Debian's chromium and chromium-driver, and PyPI's selenium. The pages come from the server
itself, with its headers. Answers come from a script (rich Markdown, and attacks), from a model with
random weights, and from a base model. Checks streaming, stop, regenerate, edit, reload, settings,
export, delete, themes, a phone's width, the keyboard, errors, keys, and that nothing that a model
writes runs. With --out DIR it leaves pictures there.
"""

import argparse
import http.client
import http.server
import json
import pathlib
import subprocess
import sys
import threading
import time

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent

RICH = r"""## How attention scales

Scaled dot-product attention compares each **query** with all *keys*, so its cost grows with the square of the sequence's length. For one head of dimension $d$:

$$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt{d}}\right)V$$

1. Compute the scores \(S = QK^\top / \sqrt{d}\).
2. Take the softmax of each row:
   - subtract the row's maximum first,
   - so that $e^{x}$ never overflows.
3. Multiply by `V`.

| Sequence | Scores | Memory, bf16 |
|:---------|-------:|-------------:|
| 1024     |  1.0 M |        2 MiB |
| 4096     | 16.8 M |       32 MiB |
| 32768    |  1.1 G |        2 GiB |

A minimal version in Python:

```python
import torch

def attention(q, k, v, scale=None):
    # Shapes: [batch, heads, tokens, dimension]
    scale = scale or q.shape[-1] ** -0.5
    scores = (q @ k.transpose(-2, -1)) * scale
    return torch.softmax(scores, dim=-1) @ v
```

> FlashAttention never writes the scores to memory.

注意力机制让模型在生成每个词时都能参考整个上下文。它的计算量与序列长度的平方成正比。

See [the paper](https://arxiv.org/abs/1706.03762) for more. It costs $5 or $6, not a formula.
"""

ATTACKS = r"""<script>window.pwned = "script"</script>
<img src=x onerror="window.pwned = 'img'">
Text <b onmouseover="window.pwned='b'">bold</b> <svg onload="window.pwned='svg'"></svg>

[click](javascript:window.pwned='link') [data](data:text/html,<script>1</script>)
[tab](java&#115;cript:window.pwned='entity') [vb](vbscript:x) [own](/v1/models) <javascript:alert(1)>
![picture](https://example.org/x.png "t") ![js](javascript:window.pwned='image')
[ok](https://example.org/?a=1&b=2 "<b>title</b>")

$\href{javascript:window.pwned='katex'}{x}$ $\htmlStyle{color:red}{y}$ $$\includegraphics{https://example.org/a.png}$$

```html"><script>window.pwned='fence'</script>
<script>window.pwned = "code"</script>
```

```html
<img src=x onerror="window.pwned='hljs'">&lt;script&gt;
```

`<script>inline</script>` and &lt;i&gt;entities&lt;/i&gt; &amp; AT&T

| <img src=x onerror=window.pwned='cell'> | b |
|---|---|
| <iframe srcdoc="<script>parent.pwned=1</script>"></iframe> | `a` |

<details open ontoggle="window.pwned='toggle'"><summary>s</summary></details>
<style>body{display:none}</style>
"""


def pieces_of(text, size=7):
    return [text[i:i + size] for i in range(0, len(text), size)]


class Script(http.server.BaseHTTPRequestHandler):
    """The server's own pages, and chats that the last question chooses."""
    protocol_version = "HTTP/1.1"
    upstream = 0
    requests = []
    left = threading.Event()  # a client left an answer midway

    def log_message(self, *_):
        pass

    def do_GET(self):
        upstream = http.client.HTTPConnection("127.0.0.1", self.upstream)
        headers = {"Host": "localhost"}
        if self.headers["Authorization"]:
            headers["Authorization"] = self.headers["Authorization"]
        upstream.request("GET", self.path, headers=headers)
        response = upstream.getresponse()
        body = response.read()
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name not in ("Connection", "Server", "Date"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append(request)
        question = request["messages"][-1]["content"]
        if question == "refuse":
            return self.refuse()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            self.answer(question)
        except (BrokenPipeError, ConnectionResetError):
            self.left.set()

    def refuse(self):
        body = json.dumps({"error": {"message": "the queue is full: try <b>again</b> later"}}).encode()
        self.send_response(429)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def event(self, data):
        self.wfile.write(f"data: {json.dumps(data)}\n\n".encode())

    def answer(self, question):
        if question == "attack":
            pieces, pause = pieces_of(ATTACKS), 0.001
        elif question == "slowly":
            pieces, pause = ["word "] * 2000, 0.02
        elif question == "break":
            pieces, pause = ["It goes ", "well "], 0.01
        elif question.startswith("short"):
            pieces, pause = ["Answer to ", question, f", number {len(self.requests)}."], 0.01
        else:
            pieces, pause = pieces_of(RICH), 0.012
        for piece in pieces:
            self.event({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
            time.sleep(pause)
        if question == "break":
            return
        self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self.event({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": len(pieces)}})
        self.wfile.write(b"data: [DONE]\n\n")


class Server:
    """A real server, in a process of its own."""

    def __init__(self, program, *arguments):
        self.process = subprocess.Popen([program, *arguments], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.url = f"http://localhost:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def scripted(upstream):
    Script.upstream = upstream
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Script)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://localhost:{server.server_port}"


def open_page(url, width=1280, height=900, theme="light", touch=False):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver"))
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch})
    if touch:
        driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": theme}]})
    driver.get(url)
    return driver


def check(holds, what, detail=""):
    print(f"{'ok' if holds else 'FAILED'}: {what}{'' if holds else f': {detail}'}", flush=True)
    if not holds:
        check.failures += 1


check.failures = 0


class Chat:
    """The chat page, with a reader's hands."""

    def __init__(self, driver):
        self.driver = driver

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector):
        return self.driver.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent)", selector)

    def until(self, holds, what, seconds=60):
        try:
            WebDriverWait(self.driver, seconds, 0.05).until(lambda _: holds())
        except Exception as error:  # pylint: disable=broad-except
            check(False, what, f"{type(error).__name__}, page: {self.find('body').text[-400:]}")
            return
        check(True, what)

    def idle(self):
        return self.driver.execute_script("return document.querySelector('#stop').hidden")

    def ask(self, text, wait=True):
        answers = len(self.all(".answer"))
        self.find("#input").send_keys(text, Keys.ENTER)
        if wait:
            self.until(lambda: len(self.all(".answer")) > answers and self.idle(), f"“{text}” is answered")

    def click(self, selector):
        self.driver.execute_script("arguments[0].click()", self.find(selector))

    def picture(self, out, name):
        if out:
            time.sleep(0.4)
            self.driver.save_screenshot(str(out / f"{name}.png"))

    def from_end(self):
        return self.driver.execute_script(
            "const s = document.querySelector('#scroll'); return s.scrollHeight - s.scrollTop - s.clientHeight")

    def scroll(self, share):
        self.driver.execute_script(
            "const s = document.querySelector('#scroll'); s.scrollTop = arguments[0] * s.scrollHeight", share)


def try_markdown(chat, out):
    chat.picture(out, "welcome")
    chat.ask("How does attention scale?", wait=False)
    chat.until(lambda: len(chat.texts(".growing .prose > *")) > 2, "an answer grows as it comes")
    chat.picture(out, "growing")
    chat.until(chat.idle, "and ends")
    chat.until(lambda: chat.from_end() < 5, "the end stays in sight")
    chat.until(lambda: len(chat.all(".prose .katex")) == 4, "formulas are drawn, prices are not")
    chat.until(lambda: chat.all(".prose .hljs-keyword"), "code is highlighted")
    check(chat.texts(".prose h3") == ["How attention scales"], "a heading")
    check(len(chat.all(".prose tbody tr")) == 3 and len(chat.all(".prose td.align-right")) == 6, "a table")
    check(len(chat.all(".prose ol > li")) == 3 and len(chat.all(".prose ol ul > li")) == 2, "nested lists")
    check("注意力机制" in chat.find(".prose").text, "Chinese")
    check(chat.find(".prose a").get_attribute("rel") == "noopener noreferrer nofollow", "a link tells nothing")
    check("tokens/s · first token after" in chat.find(".stats").text, "figures", chat.find(".stats").text)
    chat.driver.execute_script("navigator.clipboard.writeText = async (text) => { window.copied = text }")
    chat.click(".code button")
    check(chat.driver.execute_script("return window.copied").startswith("import torch\n\ndef attention"),
          "the button copies the code")
    chat.scroll(0)
    chat.picture(out, "answer-top")
    chat.scroll(1)
    chat.picture(out, "answer-end")


def try_attacks(chat, out):
    chat.ask("attack")
    time.sleep(1)
    check(chat.driver.execute_script("return window.pwned ?? null") is None, "nothing of a model runs",
          chat.driver.execute_script("return window.pwned"))
    tags = chat.driver.execute_script("""
        const answer = [...document.querySelectorAll(".answer .prose")].at(-1);
        return [...answer.querySelectorAll("script,img,iframe,style,b,details,object,embed,form")]
            .map((one) => one.outerHTML)""")
    check(tags == [], "no markup of a model is an element", tags)
    handlers = chat.driver.execute_script("""
        return [...document.querySelectorAll(".prose *")].flatMap((one) => [...one.attributes])
            .filter(({name}) => name.startsWith("on")).map(({name}) => name)""")
    check(handlers == [], "no element of a text has a handler", handlers)
    links = chat.driver.execute_script("""
        const answer = [...document.querySelectorAll(".answer .prose")].at(-1);
        return [...answer.querySelectorAll("a")].map((one) => [one.getAttribute("href"), one.textContent])""")
    check(links == [["https://example.org/x.png", "Image: picture"],
                    ["https://example.org/?a=1&b=2", "ok"]], "only web addresses are links", links)
    text = chat.texts(".answer .prose")[-1]
    for part in ('<script>window.pwned = "script"</script>', "[click](javascript:window.pwned='link')",
                 "<i>entities</i> & AT&T", "<script>inline</script>", "<style>body{display:none}</style>",
                 """<img src=x onerror="window.pwned='hljs'">&lt;script&gt;"""):
        check(part in text, f"stays text: {part}", text)
    chat.scroll(1)
    chat.picture(out, "attacks")


def try_stop(chat):
    chat.ask("slowly", wait=False)
    chat.until(lambda: "word word" in chat.texts(".answer .prose")[-1], "a long answer begins")
    chat.scroll(0)
    time.sleep(0.5)
    check(chat.from_end() > 300, "a reader who scrolls away is left alone", chat.from_end())
    ActionChains(chat.driver).send_keys(Keys.ESCAPE).perform()
    chat.until(chat.idle, "Esc stops it")
    check("stopped" in chat.texts(".stats")[-1], "and it says so", chat.texts(".stats")[-1])
    check(Script.left.wait(10), "the server is told")


def try_regenerate_and_edit(chat, out):
    chat.click("#new")
    chat.ask("short one")
    first = chat.texts(".answer .prose")[-1]
    chat.click(".answer [aria-label=Regenerate]")
    chat.until(lambda: chat.idle() and chat.texts(".answer .prose")[-1] not in (first, ""), "regenerates")
    check(len(chat.all(".answer")) == 1, "in place of the old answer")
    chat.ask("short two")
    chat.click(".question [aria-label=Edit]")
    area = chat.find(".editor textarea")
    area.clear()
    area.send_keys("short", Keys.SHIFT, Keys.ENTER, Keys.NULL, "edited")
    chat.picture(out, "edit")
    area.send_keys(Keys.ENTER)
    chat.until(lambda: chat.texts(".question .bubble") == ["short\nedited"] and chat.idle(),
               "an edited message goes on from there")
    sent = Script.requests[-1]["messages"]
    check(sent == [{"role": "user", "content": "short\nedited"}], "without what followed", sent)


def try_reload(chat):
    before = chat.texts(".answer .prose")
    titles = chat.texts("#conversations .open")
    chat.driver.refresh()
    chat.until(lambda: chat.texts(".answer .prose") == before, "a conversation survives a reload")
    check(chat.texts("#conversations .open") == titles and len(titles) == 2, "and so does the list", titles)
    chat.click("#conversations li:last-child .open")
    check("How attention scales" in chat.texts(".answer .prose")[0], "another can be opened")


def try_settings(chat, out):
    chat.click("#new")
    chat.find("#open-settings").click()
    chat.picture(out, "settings")
    for name, value in (("system", "Be brief."), ("temperature", "0.5"), ("top_p", "0.9"), ("top_k", "40"),
                        ("min_p", "0.05"), ("max_tokens", "99"), ("seed", "7"), ("repetition_penalty", "1.1"),
                        ("presence_penalty", "0.5"), ("frequency_penalty", "-0.5")):
        chat.find(f"#setting-{name}").send_keys(value)
    chat.ask("short settings")
    sent = Script.requests[-1]
    check({name: sent.get(name) for name in ("temperature", "top_p", "top_k", "min_p", "max_tokens", "seed",
                                            "repetition_penalty", "presence_penalty", "frequency_penalty")} ==
          {"temperature": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.05, "max_tokens": 99, "seed": 7,
           "repetition_penalty": 1.1, "presence_penalty": 0.5, "frequency_penalty": -0.5},
          "all settings are sent", sent)
    check(sent["messages"][0] == {"role": "system", "content": "Be brief."}, "with the system text", sent)
    for field in chat.all("#fields input, #fields textarea"):
        field.send_keys(Keys.CONTROL, "a", Keys.NULL, Keys.DELETE)
    chat.ask("short defaults")
    check("temperature" not in Script.requests[-1] and Script.requests[-1]["messages"][0]["role"] == "user",
          "empty fields are not sent", Script.requests[-1])
    chat.find("#setting-temperature").send_keys("9")
    check(chat.find("#setting-temperature").get_attribute("aria-invalid") == "true", "a wrong value shows")
    chat.find("#setting-temperature").send_keys(Keys.BACKSPACE)
    ActionChains(chat.driver).send_keys(Keys.ESCAPE).perform()
    check(not chat.find("#settings").is_displayed(), "Esc closes the settings")


def try_export_and_delete(chat):
    exported = chat.driver.execute_async_script("""
        const done = arguments[0];
        URL.createObjectURL = (blob) => { blob.text().then(done); return "blob:none"; };
        HTMLAnchorElement.prototype.click = () => {};
        document.querySelector("#export").click();""")
    messages = json.loads(exported)["messages"]
    check([one["role"] for one in messages] == ["user", "assistant"] * 2, "a conversation can be exported", messages)
    count = len(chat.all("#conversations li"))
    chat.driver.execute_script("window.confirm = () => true")
    chat.click("#conversations li:first-child .quiet")
    check(len(chat.all("#conversations li")) == count - 1 and not chat.all(".answer"), "and deleted")


def try_errors(chat, out):
    chat.click("#new")
    chat.ask("refuse")
    check(chat.texts(".answer .error") == ["the queue is full: try <b>again</b> later"],
          "the server's refusal is shown", chat.texts(".answer .error"))
    chat.ask("break")
    check("broke" in chat.texts(".answer .error")[-1] or "ended" in chat.texts(".answer .error")[-1],
          "a broken answer is told", chat.texts(".answer .error"))
    check(chat.texts(".answer .prose")[-1].strip() == "It goes well", "what came of it stays")
    chat.picture(out, "errors")


def try_themes(chat, out):
    colour = lambda: chat.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    light = colour()
    chat.click("#theme")
    check(colour() != light, "the switch makes the page dark", colour())
    chat.driver.refresh()
    check(colour() != light, "and a reload keeps it")
    chat.click("#conversations li:last-child .open")
    chat.scroll(0.33)
    chat.picture(out, "dark")
    chat.click("#theme")
    check(colour() == light, "and back")


def wide(driver):
    return driver.execute_script(
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth")


def try_phone(url, out):
    driver = open_page(url, width=390, height=800, touch=True)
    chat = Chat(driver)
    chat.picture(out, "phone-welcome")
    chat.ask("How does attention scale?")
    check(wide(driver) <= 0, "a phone's page does not scroll sideways", wide(driver))
    chat.until(lambda: chat.all(".prose .hljs-keyword"), "code is highlighted there too")
    chat.scroll(0)
    chat.picture(out, "phone")
    chat.scroll(0.5)
    chat.picture(out, "phone-middle")
    chat.click("#open-sidebar")
    chat.picture(out, "phone-list")
    check(chat.find("#new").is_displayed(), "the list opens")
    chat.click("#close-sidebar")
    chat.click("#open-settings")
    chat.picture(out, "phone-settings")
    driver.quit()


def try_keyboard(chat):
    """All controls can be reached by Tab, have a name, and show that they have the focus."""
    chat.click("#new")
    chat.driver.execute_script("document.activeElement.blur()")
    unnamed, unseen, seen = [], [], set()
    for _ in range(30):
        ActionChains(chat.driver).send_keys(Keys.TAB).perform()
        name, ring, text = chat.driver.execute_script("""
            const one = document.activeElement, style = getComputedStyle(one);
            const label = one.id && document.querySelector(`label[for="${one.id}"]`);
            return [one.id || one.className || one.tagName,
                    style.outlineStyle !== "none" || one.id === "input" || one === document.body,
                    one.getAttribute("aria-label") || label?.textContent || one.textContent.trim()]""")
        seen.add(name)
        if not text:
            unnamed.append(name)
        if not ring:
            unseen.append(name)
    check({"new", "input", "send", "theme", "open-settings"} <= seen, "Tab reaches the controls", seen)
    check(unnamed == [] and unseen == [], "which have names and a visible focus", (unnamed, unseen))


def problems_of(driver, host):
    """Requests to other places, and what the console complains of."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    urls = [event["params"]["request"]["url"] for event in events
            if event["method"] == "Network.requestWillBeSent"]
    elsewhere = [url for url in urls if not url.startswith((host, "data:", "blob:"))]
    errors = [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    return elsewhere, errors


def try_scripted_chat(program, out):
    with Server(program) as server:
        url = scripted(server.port)
        driver = open_page(url)
        chat = Chat(driver)
        try_markdown(chat, out)
        try_attacks(chat, out)
        try_stop(chat)
        try_regenerate_and_edit(chat, out)
        try_reload(chat)
        try_settings(chat, out)
        try_export_and_delete(chat)
        elsewhere, errors = problems_of(driver, url)
        check(elsewhere == [], "nothing is loaded from elsewhere", elsewhere)
        check(errors == [], "no script fails, and no rule of the page's is broken", errors)
        try_errors(chat, out)
        try_themes(chat, out)
        try_keyboard(chat)
        driver.quit()
        try_phone(url, out)


def try_real_server(program, out):
    """A model with random weights, and a key."""
    with Server(program, "secret") as server:
        driver = open_page(server.url)
        chat = Chat(driver)
        chat.until(lambda: chat.find("#key-form").is_displayed(), "the page asks for the key")
        chat.picture(out, "key")
        chat.find("#key").send_keys("wrong", Keys.ENTER)
        chat.until(lambda: "refuses" in chat.find("#key-hint").text, "a wrong one is refused")
        chat.find("#key").send_keys("secret", Keys.ENTER)
        chat.until(lambda: chat.find("#model").text == "tiny", "the right one is taken")
        chat.click("#open-settings")
        chat.find("#setting-max_tokens").send_keys("40")
        chat.click("#close-settings")
        chat.ask("Hello there")
        chat.ask("And again")
        check(len(chat.texts(".stats")) == 2, "a real model answers", chat.texts(".answer"))
        chat.find("#setting-temperature")
        driver.get(server.url + "/engine")
        chat.until(lambda: chat.find("#figures").is_displayed(), "the engine's page uses the key")
        chat.until(lambda: "–" not in chat.texts("#latencies td")[-2:], "it shows latencies")
        counts = [int(text) for text in chat.texts("#outcomes td")]
        check(sum(counts[:3]) == 2, "and how sequences ended", counts)
        keep_busy(server.port)
        time.sleep(3)
        check(chat.texts(".readings strong")[2] != "0/s", "and tokens a second", chat.texts(".readings strong"))
        check("–" not in chat.texts("#latencies td")[2:], "and latencies of the last minute",
              chat.texts("#latencies td"))
        chat.picture(out, "engine")
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": 390, "height": 900, "deviceScaleFactor": 1, "mobile": True})
        check(wide(driver) <= 0, "it fits a phone", wide(driver))
        chat.picture(out, "engine-phone")
        chat.click("#theme")
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": 1280, "height": 1000, "deviceScaleFactor": 1, "mobile": False})
        chat.picture(out, "engine-dark")
        elsewhere, errors = problems_of(driver, server.url)
        refused = [error for error in errors if "401" not in error]
        check(elsewhere == [] and refused == [], "nothing else is loaded, and no script fails", (elsewhere, refused))
        driver.quit()


def keep_busy(port, seconds=12):
    """Requests in turn, so that the engine's charts have something to show."""
    def ask():
        end = time.time() + seconds
        while time.time() < end:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("POST", "/v1/completions", json.dumps({
                "prompt": "x" * 300, "max_tokens": 200, "ignore_eos": True}),
                {"Authorization": "Bearer secret", "Host": "localhost"})
            connection.getresponse().read()
            time.sleep(0.3)
    for _ in range(6):
        threading.Thread(target=ask, daemon=True).start()
    time.sleep(seconds - 4)


def try_base_model(program, out):
    with Server(program, "base") as server:
        driver = open_page(server.url)
        chat = Chat(driver)
        chat.until(lambda: chat.all("#document"), "a base model's page completes")
        chat.find("#document").send_keys("Once upon a time")
        chat.find("#document").send_keys(Keys.CONTROL, Keys.ENTER)
        chat.until(lambda: chat.idle() and "tokens" in chat.find(".stats").text, "the text goes on")
        text = chat.find("#document").get_attribute("value")
        check(text.startswith("Once upon a time") and len(text) > 20, "behind what was there", text)
        check(chat.texts("#conversations .open")[0].startswith("Once upon a time"), "which is its title",
              chat.texts("#conversations .open"))
        chat.picture(out, "completion")
        driver.refresh()
        chat.until(lambda: chat.find("#document").get_attribute("value") == text, "and survives a reload")
        driver.quit()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", type=pathlib.Path,
                        default=REPOSITORY / "build/release/tests/serve/page_server",
                        help="the program that serves the pages")
    parser.add_argument("--out", type=pathlib.Path, help="folder for pictures of the pages")
    options = parser.parse_args()
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    try_scripted_chat(options.server, options.out)
    try_real_server(options.server, options.out)
    try_base_model(options.server, options.out)
    print(f"{check.failures} failures")
    return 1 if check.failures else 0


if __name__ == "__main__":
    sys.exit(main())
