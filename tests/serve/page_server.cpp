// Serves the pages and a chat model with random weights until standard input ends, for
// pages_test.py. Arguments: "key", a key that the API asks for; "base", no chat template.
#include <iostream>
#include <limits>

#include "serve/test_server.h"

int main(int argc, char** argv) {
  using fathom::serve::TestServer;
  fathom::serve::ServerOptions options = TestServer::small_options();
  bool with_template = true;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "base") {
      with_template = false;
    } else {
      options.service.api_keys.emplace_back(argument);
    }
  }
  TestServer server(options, 2048, with_template);
  std::cout << server.port() << std::endl;
  std::cin.ignore(std::numeric_limits<std::streamsize>::max());
}
