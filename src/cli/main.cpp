// fathom: parses the command line, runs one subcommand, and turns its outcome
// into an exit code: 0 success, 2 bad usage or input, 1 failure at run time.
#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "core/error.h"
#include "core/log.h"

int main(int argc, char** argv) {
  using namespace fathom;
  CLI::App app{"Fathom trains, aligns, evaluates and serves language models."};
  app.name("fathom");
  app.require_subcommand(1);
  app.footer("Example: fathom train configs/tiny.toml --set train.steps=100");
  cli::add_bench(app);
  cli::add_convert(app);
  cli::add_data(app);
  cli::add_generate(app);
  cli::add_info(app);
  cli::add_tokenizer(app);
  cli::add_train(app);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const Error& error) {
    log::write(log::Level::error, error.what());
    return error.kind() == ErrorKind::input ? 2 : 1;
  } catch (const std::exception& error) {
    log::write(log::Level::error, error.what());
    return 1;
  }
}
