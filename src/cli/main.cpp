// fathom: parses the command line, runs one subcommand, and turns its outcome
// into an exit code: 0 success, 2 bad usage or input, 1 failure at run time, 128 and
// the signal's number for a run that a signal stopped.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "cli/commands.h"
#include "cli/text_flag.h"
#include "cli/usage_errors.h"
#include "core/error.h"
#include "core/log.h"

namespace {

// Lets idle OpenMP threads sleep after about 40 microseconds instead of spinning for
// milliseconds: when another program is busy, spinning halves the speed or worse
// (docs/performance.md). libgomp reads its settings before main begins, so the program
// starts itself again. A setting of the user's own is kept.
void let_idle_threads_sleep(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") || std::getenv("OMP_WAIT_POLICY")) return;
  if (setenv("GOMP_SPINCOUNT", "3000", 1) == 0) execv("/proc/self/exe", argv);
}

// If the program was started with a standard stream closed, a file that it opens would get
// the stream's number and receive its messages. So the number is taken by /dev/null, opened
// in the wrong direction: using the stream is still an error.
void hold_standard_streams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) != -1) continue;
    // The lowest free number is this one.
    if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) std::abort();
  }
}

// The problem with a whole number that 64 bits cannot hold, or "". CLI11 would replace it
// by the largest that they can.
std::string too_large(const std::string& text) {
  errno = 0;
  if (text.starts_with('-')) {
    std::strtoll(text.c_str(), nullptr, 0);
  } else {
    std::strtoull(text.c_str(), nullptr, 0);
  }
  return errno == ERANGE ? text + " is a larger number than 64 bits hold" : "";
}

// The same for signed options, which have one bit less.
std::string too_large_signed(const std::string& text) {
  errno = 0;
  std::strtoll(text.c_str(), nullptr, 0);
  return errno == ERANGE ? text + " is a larger number than 64 bits with a sign hold" : "";
}

// Gives every option for a whole number, of all commands, the check above.
void check_number_sizes(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    const std::string type = option->get_type_name();  // "INT", or "INT:POSITIVE" with a check
    if (type.starts_with("INT")) option->check(CLI::Validator(too_large_signed, ""));
    if (type.starts_with("UINT")) option->check(CLI::Validator(too_large, ""));
  }
  for (CLI::App* command : app.get_subcommands(nullptr)) check_number_sizes(*command);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace fathom;
  hold_standard_streams();
  let_idle_threads_sleep(argv);
  CLI::App app{"Fathom trains, aligns, evaluates and serves language models."};
  app.name("fathom");
  app.set_version_flag("--version", "fathom " FATHOM_VERSION);
  app.require_subcommand(1);
  app.footer(
      "From text to a first model: man fathom, or fathom manual man && man man/fathom.1\n"
      "Example: fathom train configs/demo/train.toml --set train.max_minutes=1");
  cli::add_bench(app);
  cli::add_chat(app);
  cli::add_completion(app);
  cli::add_convert(app);
  cli::add_data(app);
  cli::add_dpo(app);
  cli::add_eval(app);
  cli::add_generate(app);
  cli::add_info(app);
  cli::add_manual(app);
  cli::add_plan(app);
  cli::add_scaling(app);
  cli::add_serve(app);
  cli::add_sft(app);
  cli::add_tokenizer(app);
  cli::add_train(app);
  cli::add_verify(app);
  check_number_sizes(app);
  try {
    try {
      app.parse(argc, argv);
    } catch (const cli::TextWanted& wanted) {
      std::cout << wanted.text;
    }
    std::cout.flush();
    if (!std::cout || std::fflush(stdout) != 0) fail_runtime("cannot write to standard output");
    return 0;
  } catch (const CLI::RuntimeError& stop) {
    return stop.get_exit_code();
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    log::write(log::Level::error, cli::usage_problem(app, argc, argv, error.what()));
    return 2;
  } catch (const Error& error) {
    log::write(log::Level::error, error.what());
    return error.kind() == ErrorKind::input ? 2 : 1;
  } catch (const std::exception& error) {
    log::write(log::Level::error, error.what());
    return 1;
  }
}
