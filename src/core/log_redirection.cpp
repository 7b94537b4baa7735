#include "core/log_redirection.h"

namespace fathom::log {
namespace {

thread_local Redirection::Sink current;

}  // namespace

Redirection::Redirection(Sink sink) {
  current = std::move(sink);
}

Redirection::~Redirection() {
  current = nullptr;
}

const Redirection::Sink& Redirection::sink() {
  return current;
}

const char* mark_of(Level level) {
  return level == Level::warning ? "warning: " : level == Level::error ? "error: " : "";
}

}  // namespace fathom::log
