#!/usr/bin/env python3
"""Tries the charts of a report page in Chromium, as a reader would.

    tests/report/browser_test.py [--example build/release/tests/report/page_example]

Needs Debian's chromium and chromium-driver, and PyPI's selenium. Checks that hovering
shows the value of the page's data, that dragging zooms and the button resets, that the
logarithmic switches work, that a series can be hidden, with the
curve that belongs to it, that texts stay texts, that samples
fold, that the tables and the samples are there without JavaScript, and that nothing is loaded
from elsewhere. With
--screenshots DIR it leaves pictures (light, dark, phone) and a PDF there.
"""

import argparse
import base64
import json
import pathlib
import subprocess
import sys
import tempfile

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent


def open_page(page, scripts=True, width=1240, height=1000, theme="light"):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    if not scripts:
        options.add_experimental_option(
            "prefs", {"profile.managed_default_content_settings.javascript": 2})
    driver = webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver"))
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": theme}]})
    driver.get(page.as_uri())
    return driver


class ChartOnPage:
    """One chart; positions are in its data's units."""

    def __init__(self, driver, index):
        self.driver = driver
        self.figure = driver.find_elements(By.CSS_SELECTOR, "figure.chart")[index]
        self.plot = self.figure.find_element(By.CSS_SELECTOR, ".plot")
        driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", self.plot)
        script = self.figure.find_element(By.CSS_SELECTOR, "script")
        self.series = json.loads(script.get_attribute("textContent"))["series"]

    def graph(self, expression):
        return self.driver.execute_script(f"return arguments[0].graph.{expression}", self.plot)

    def pointer_at(self, x, y=None):
        y = y if y is not None else sum(self.graph("yAxisRange()")) / 2
        area = self.graph("getArea()")
        left = area["x"] + area["w"] * self.graph(f"toPercentXCoord({x})")
        top = area["y"] + area["h"] * self.graph(f"toPercentYCoord({y})")
        return (round(left - self.plot.size["width"] / 2),
                round(top - self.plot.size["height"] / 2))

    def hover(self, x):
        ActionChains(self.driver).move_to_element_with_offset(self.plot, *self.pointer_at(x)).perform()

    def drag(self, first, last):
        (x0, y0), (x1, _) = self.pointer_at(first), self.pointer_at(last)
        actions = ActionChains(self.driver)
        actions.move_to_element_with_offset(self.plot, x0, y0).click_and_hold()
        actions.move_by_offset(x1 - x0, 0).release().perform()

    def button(self, selector):
        return self.figure.find_element(By.CSS_SELECTOR, selector)

    def readings(self):
        return [found.text for found in self.figure.find_elements(By.CSS_SELECTOR, ".reading")]

    def where(self):
        return self.button(".where").text


def check(holds, what, detail=""):
    print(f"{'ok' if holds else 'FAILED'}: {what}{'' if holds else f': {detail}'}")
    if not holds:
        check.failures += 1


check.failures = 0


def number_of(reading):
    return float(reading.split()[0])


def try_hover(chart):
    last = chart.readings()
    chart.hover(5000)
    x = float(chart.where().split()[-1])
    training, validation = chart.series
    shown, expected = number_of(chart.readings()[0]), training["y"][training["x"].index(x)]
    check(abs(x - 5000) < 50, "hovering finds the step under the pointer", x)
    check(abs(shown - expected) < 1e-4, "hovering shows the step's loss", f"{shown}, {expected}")
    expected = validation["y"][validation["x"].index(5000)]
    check(abs(number_of(chart.readings()[1]) - expected) < 1e-4,
          "hovering shows the validation nearest to the step", chart.readings())
    chart.hover(12250)
    check(chart.readings()[0].startswith("not finite"), "a gap says so", chart.readings())
    ActionChains(chart.driver).move_to_element(chart.button("figcaption")).perform()
    check(chart.readings() == last, "leaving shows the last values again", chart.readings())


def try_zoom(chart, first, last):
    reset = chart.figure.find_element(By.XPATH, ".//button[text()='reset zoom']")
    check(not reset.is_displayed(), "nothing is zoomed at first")
    whole = chart.graph("xAxisRange()")
    chart.drag(first, last)
    zoomed = chart.graph("xAxisRange()")
    check(abs(zoomed[0] / first - 1) < 0.03 and abs(zoomed[1] / last - 1) < 0.03,
          "dragging zooms", zoomed)
    check(reset.is_displayed(), "the reset button appears")
    reset.click()
    check(chart.graph("xAxisRange()") == whole and not reset.is_displayed(), "and resets")


def try_scales(chart):
    """The geometric mean of an axis's range lies in its middle if it is logarithmic."""
    for axis, share in (("y", "toPercentYCoord"), ("x", "toPercentXCoord")):
        button = chart.button(f".switch-{axis}")
        for wanted in ("true", "false"):
            button.click()
            low, high = chart.graph(f"{axis}AxisRange()")
            mean = (low * high) ** 0.5 if wanted == "true" else (low + high) / 2
            place = chart.graph(f"{share}({mean})")
            check(button.get_attribute("aria-pressed") == wanted and abs(place - 0.5) < 1e-3,
                  f"the switch makes {axis} logarithmic: {wanted}", (low, high, place))


def try_series(chart):
    first = chart.figure.find_element(By.CSS_SELECTOR, ".legend button")
    first.click()
    check(chart.graph("visibility()") == [False, True], "a series can be hidden")
    first.click()
    check(chart.graph("visibility()") == [True, True], "and shown again")


def try_points(chart):
    check(chart.button(".switch-x").get_attribute("aria-pressed") == "true",
          "a chart begins with the scales that it asks for")
    models = chart.series[0]
    chart.hover(models["x"][6])
    shown = [float(text) for text in chart.readings()[0].split(", ")]
    check(len(shown) == 2 and all(abs(a - b) < 1e-4 for a, b in zip(shown, models["y"][6:8])),
          "hovering shows both points that share an x", chart.readings())
    check(" to " in chart.readings()[1], "and the band of the fit", chart.readings())


def try_groups(chart):
    buttons = chart.figure.find_elements(By.CSS_SELECTOR, ".legend button")
    check(len(buttons) == 2 and len(chart.series) == 4, "a curve without a name is in no legend",
          [button.text for button in buttons])
    colours = chart.graph("getColors()")
    check(colours[0] == colours[1] != colours[2] == colours[3], "and has its points' colour",
          colours)
    buttons[1].click()
    check(chart.graph("visibility()") == [True, True, False, False], "and is hidden with them")
    buttons[1].click()
    chart.hover(chart.series[2]["x"][-1])
    check(" to " in chart.readings()[1], "hovering shows a point's bar", chart.readings())


def try_samples(driver):
    newest, older = driver.find_elements(By.CSS_SELECTOR, ".continuations")
    first, odd = newest.find_elements(By.TAG_NAME, "p")
    check(first.is_displayed() and first.text == "Once upon a time there was a\n  ship",
          "the newest samples are open, with their line breaks", first.text)
    check(odd.text.startswith("</script><script>"), "a sample's markup stays text", odd.text)
    texts = older.find_elements(By.TAG_NAME, "p")
    check(not texts[0].is_displayed(), "older samples are folded")
    older.find_element(By.TAG_NAME, "summary").click()
    check([text.text for text in texts] == ["从前有一座山", "The end (ends here)"],
          "and open with a click", [text.text for text in texts])
    older.find_element(By.TAG_NAME, "summary").click()
    check(not texts[0].is_displayed(), "and fold again")


def try_paper(driver):
    older = driver.find_elements(By.CSS_SELECTOR, ".continuations p")[2]
    shown = "return arguments[0].checkVisibility()"  # is_displayed() knows screens alone
    check(not driver.execute_script(shown, older), "on screens an older sample is hidden")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    check(driver.execute_script(shown, older), "on paper all samples are open")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "screen"})


def try_phone(page):
    driver = open_page(page, width=390)
    wide = driver.execute_script(
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth")
    check(wide <= 0, "a phone's page does not scroll sideways", wide)
    driver.quit()


def try_without_scripts(page):
    driver = open_page(page, scripts=False)
    try_samples(driver)
    table = driver.find_element(By.CSS_SELECTOR, "figure.chart table")
    check(table.is_displayed() and "validation" in table.text and "at step 20000" in table.text,
          "without JavaScript the values are in a table", table.text)
    check(not driver.find_element(By.CSS_SELECTOR, ".drawing").is_displayed(),
          "and no empty chart is shown")
    driver.quit()


def requests_of(driver):
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    urls = [event["params"]["request"]["url"] for event in events
            if event["method"] == "Network.requestWillBeSent"]
    return [url for url in urls if not url.startswith(("file:", "data:"))]


def take_pictures(page, directory):
    directory.mkdir(parents=True, exist_ok=True)
    for name, width, theme in (("light", 1240, "light"), ("dark", 1240, "dark"),
                               ("phone", 390, "light")):
        driver = open_page(page, width=width, height=1600, theme=theme)
        driver.save_screenshot(str(directory / f"{name}.png"))
        if name == "dark":  # paper is light
            pdf = driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"]
            (directory / "paper.pdf").write_bytes(base64.b64decode(pdf))
        driver.quit()


def try_page(page):
    driver = open_page(page)
    loss, law = ChartOnPage(driver, 0), ChartOnPage(driver, 1)
    check(driver.title == "A page with every part", "texts stay texts", driver.title)
    for attempt in (try_hover, try_scales, try_series):
        attempt(ChartOnPage(driver, 0))
    try_groups(ChartOnPage(driver, 2))
    try_zoom(ChartOnPage(driver, 0), 4000, 8000)
    try_points(ChartOnPage(driver, 1))
    try_zoom(ChartOnPage(driver, 1), 1e17, 1e19)
    try_samples(driver)
    try_paper(driver)
    check(len(loss.series) == len(law.series) == 2, "the charts have their series")
    check(requests_of(driver) == [], "nothing is loaded from elsewhere")
    errors = [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    check(errors == [], "no script fails", errors)
    driver.quit()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--example", type=pathlib.Path,
                        default=REPOSITORY / "build/release/tests/report/page_example",
                        help="the program that writes the page")
    parser.add_argument("--screenshots", type=pathlib.Path, help="folder for pictures of the page")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        page = pathlib.Path(directory) / "page.html"
        subprocess.run([options.example, page], check=True)
        try_page(page)
        try_without_scripts(page)
        try_phone(page)
        if options.screenshots:
            take_pictures(page, options.screenshots)
    print(f"{check.failures} failures")
    return 1 if check.failures else 0


if __name__ == "__main__":
    sys.exit(main())
