#include "serve/pages.h"

#include <fmt/format.h>

#include <map>

#include "io/checksum.h"
#include "serve/embedded.h"

namespace fathom::serve {
namespace {

// Styles that scripts set on elements need no exception; texts of a model never become markup.
constexpr const char* content_security_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct Page {
  std::string bytes, content_type, tag;  // tag: as in the header ETag
};

std::string content_type_of(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return "font/woff2";
}

std::string path_of(std::string_view name) {
  if (name == "chat.html") return "/";
  if (name == "engine.html") return "/engine";
  if (name.ends_with(".woff2")) return fmt::format("/assets/fonts/{}", name);  // as katex.css says
  return fmt::format("/assets/{}", name);
}

// The licences ask for their texts beside the programs.
std::string licences() {
  return fmt::format("marked\n\n{}\n\nhighlight.js\n\n{}\n\nKaTeX and its fonts\n\n{}",
                     embedded::marked_licence, embedded::highlight_licence,
                     embedded::katex_licence);
}

Page make_page(std::string bytes, std::string content_type) {
  std::string tag = fmt::format("\"{}\"", checksum_text(checksum_of(bytes)));
  return {std::move(bytes), std::move(content_type), std::move(tag)};
}

const std::map<std::string, Page, std::less<>>& pages() {
  static const auto all = [] {
    std::map<std::string, Page, std::less<>> found;
    found["/assets/licences.txt"] = make_page(licences(), "text/plain; charset=utf-8");
    for (const auto& table :
         {embedded::web_files, embedded::marked_files, embedded::highlight_files,
          embedded::katex_files, embedded::katex_fonts}) {
      for (const embedded::EmbeddedFile& file : table) {
        found[path_of(file.name)] = make_page(std::string(*file.bytes), content_type_of(file.name));
      }
    }
    return found;
  }();
  return all;
}

}  // namespace

const std::vector<std::string_view>& page_paths() {
  static const auto all = [] {
    std::vector<std::string_view> paths;
    for (const auto& [path, page] : pages()) paths.push_back(path);
    return paths;
  }();
  return all;
}

bool is_page(std::string_view path) {
  return pages().contains(path);
}

Reply page_reply(const HttpRequest& request) {
  const Page& page = pages().find(request.path)->second;
  Reply reply{200, "", page.content_type, {}, "no-cache"};
  // A list of tags, or "*"; a proxy that compresses makes tags weak.
  if (request.if_none_match.find(page.tag) != std::string::npos || request.if_none_match == "*") {
    reply.status = 304;
  } else {
    reply.body = page.bytes;
  }
  reply.headers = {{"ETag", page.tag},
                   {"Content-Security-Policy", content_security_policy},
                   {"Cross-Origin-Opener-Policy", "same-origin"},
                   {"Cross-Origin-Resource-Policy", "same-origin"},
                   {"Referrer-Policy", "no-referrer"}};
  return reply;
}

}  // namespace fathom::serve
