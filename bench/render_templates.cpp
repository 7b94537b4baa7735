// Renders chat templates for bench/templates_vs_jinja2.py: a line of JSON in, {"template",
// "variables", "now": seconds since 1970 in UTC}, a line out, {"text", "generated",
// "seconds"} or {"error", "seconds"}.
#include <chrono>
#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "align/jinja/template.h"
#include "core/error.h"

int main() {
  using Json = nlohmann::ordered_json;
  std::string line;
  while (std::getline(std::cin, line)) {
    const Json job = Json::parse(line);
    fathom::RenderOptions options;
    const auto now = static_cast<std::time_t>(job["now"].get<std::int64_t>());
    gmtime_r(&now, &options.now.emplace());
    const auto start = std::chrono::steady_clock::now();
    Json out;
    try {
      const auto parsed =
          fathom::JinjaTemplate::parse(job["template"].get<std::string>(), "template");
      const auto rendered = parsed.render(job["variables"], options);
      out["text"] = rendered.text;
      out["generated"] = Json::array();
      for (const auto& span : rendered.generated)
        out["generated"].push_back({span.begin, span.end});
    } catch (const fathom::Error& error) {
      out["error"] = error.what();
    }
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    out["seconds"] = taken.count();
    std::cout << out.dump() << "\n";
  }
  return 0;
}
