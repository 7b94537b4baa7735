// A small HTTP client: one request a connection, whose answer is read as it comes.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace fathom::serve {

struct ServerUrl {
  std::string text;                // as given, for messages
  std::string host, port, prefix;  // prefix: of all paths, such as "/models/a"; may be empty
};
// Reads http://HOST[:PORT][/PREFIX], where a last "/v1" is left out. Throws an input Error.
ServerUrl parse_server_url(std::string_view url);

struct FetchRequest {
  std::string path;     // below the prefix
  std::string body;     // JSON, for POST; empty: GET
  std::string api_key;  // empty: none is sent
};

struct Fetched {
  int status = 0;
  std::string body;      // of an answer that was not passed on
  bool stopped = false;  // by the caller, before the answer's end
};

// Called with each piece of a body, and at least every 50 ms with an empty one; false stops.
using TakeBytes = std::function<bool(std::string_view bytes)>;

// Sends the request. The body of an answer 200 goes to `take` piece by piece, that of another is
// returned. Throws a run-time Error when there is no server, or the connection ends too early.
Fetched fetch(const ServerUrl& server, const FetchRequest& request, const TakeBytes& take);

}  // namespace fathom::serve
