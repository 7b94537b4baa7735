#include "report/page.h"

#include <algorithm>

#include "io/atomic_file.h"
#include "report/chart.h"

namespace fathom {
namespace {

constexpr std::string_view style = R"(
:root { color-scheme: light dark; --ink: #1d2530; --soft: #66707d; --line: #e2e6ea;
  --paper: #ffffff; --panel: #f6f8fa; --c0: #1f6feb; --c1: #d9480f; --c2: #2b8a3e;
  --c3: #862e9c; --c4: #0b7285; --c5: #a61e4d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --soft: #98a2ad; --line: #30363d;
  --paper: #12161b; --panel: #1a2027; --c0: #6cb0ff; --c1: #ff9d66; --c2: #69db7c;
  --c3: #d0a2f7; --c4: #66d9e8; --c5: #faa2c1; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(400px, 1fr)); gap: 1rem; }
figure { margin: 0; padding: .8rem; background: var(--panel); border-radius: 8px; }
figcaption { font-weight: 600; }
svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: var(--soft); }
.grid { stroke: var(--line); fill: none; }
.curve { fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linejoin: round;
  stroke-linecap: round; }
.legend { margin: .2rem 0 0; font-size: .85rem; } .legend span { margin-right: .8rem; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); }
.c3 { color: var(--c3); } .c4 { color: var(--c4); } .c5 { color: var(--c5); }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(160px, 1fr)); gap: .8rem; }
dt { color: var(--soft); font-size: .85rem; } dd { margin: 0; font-weight: 600; }
pre { background: var(--panel); padding: .8rem; border-radius: 8px; overflow-x: auto;
  font-size: .85rem; }
blockquote { margin: 0 0 1rem; padding: .8rem; background: var(--panel); border-radius: 8px;
  white-space: pre-wrap; overflow-wrap: anywhere; } blockquote b { color: var(--c0); }
)";

Curve curve_of(const std::vector<MetricsRecord>& records, const std::string& name,
               std::string label) {
  Curve curve{std::move(label), {}};
  for (const MetricsRecord& record : records) {
    const double* value = record.find(name);
    if (value) curve.points.emplace_back(static_cast<double>(record.step), *value);
  }
  return curve;
}

// The curve of `name` and those of its sources ("name/wikipedia").
std::vector<Curve> curves_by_source(const std::vector<MetricsRecord>& records,
                                    std::string_view name) {
  std::vector<std::string> names;
  const std::string prefix = std::string(name) + "/";
  for (const MetricsRecord& record : records) {
    for (const auto& [key, value] : record.values) {
      const bool wanted = key == name || key.starts_with(prefix);
      if (wanted && std::find(names.begin(), names.end(), key) == names.end()) {
        names.push_back(key);
      }
    }
  }
  std::vector<Curve> curves;
  for (const std::string& key : names) {
    curves.push_back(curve_of(records, key, key == name ? "all" : key.substr(prefix.size())));
  }
  return curves;
}

std::string charts(const std::vector<MetricsRecord>& records) {
  const auto one = [&](std::string_view name) {
    return std::vector{curve_of(records, std::string(name), std::string(name))};
  };
  std::vector<Curve> losses{curve_of(records, std::string(metric::loss), "training")};
  Curve validation = curve_of(records, std::string(metric::validation_loss), "validation");
  if (!validation.points.empty()) losses.push_back(std::move(validation));
  return chart_svg("Loss by step", losses) +
         chart_svg("Held-out bits per byte", curves_by_source(records, metric::bits_per_byte)) +
         chart_svg("Gradient norm (logarithmic)", one(metric::gradient_norm), Axis::logarithmic) +
         chart_svg("Learning rate", one(metric::learning_rate)) +
         chart_svg("Tokens a second", one(metric::tokens_per_second));
}

std::string section(const std::string& title, const std::string& body) {
  return body.empty() ? "" : "<h2>" + title + "</h2>\n" + body;
}

std::string preformatted(const std::string& text) {
  return text.empty() ? "" : "<pre>" + html_escaped(text) + "</pre>\n";
}

}  // namespace

std::string report_html(const ReportContent& content, const std::vector<MetricsRecord>& records) {
  std::string page = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n";
  page += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>";
  page += html_escaped(content.title) + "</title><style>" + std::string(style);
  page += "</style></head><body>\n<h1>" + html_escaped(content.title) + "</h1>\n";
  std::string figures, samples;
  for (const auto& [name, value] : content.figures) {
    figures +=
        "<div><dt>" + html_escaped(name) + "</dt><dd>" + html_escaped(value) + "</dd></div>\n";
  }
  if (!figures.empty()) page += "<dl>\n" + figures + "</dl>\n";
  const std::string drawn = charts(records);
  page += drawn.empty() ? "<p>No step has been recorded yet.</p>\n"
                        : "<h2>Curves</h2>\n<div class=\"charts\">\n" + drawn + "</div>\n";
  for (const ReportContent::Sample& sample : content.samples) {
    samples += "<blockquote><b>" + html_escaped(sample.prompt) + "</b>" +
               html_escaped(sample.continuation) + "</blockquote>\n";
  }
  page += section("What it writes", samples);
  page += section("Memory", preformatted(content.memory_table));
  page += section("Configuration", preformatted(content.config_toml));
  return page + "</body></html>\n";
}

void write_report(const std::string& path, const std::string& metrics_path,
                  const ReportContent& content) {
  write_file_atomically(path, report_html(content, read_metrics(metrics_path)));
}

}  // namespace fathom
