#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizer/regex.h"

#include <pcre2.h>

#include "core/error.h"
#include "text/utf8.h"

namespace fathom::tokenizer {
namespace {

// Steps after which a search is given up: more than any sensible pattern needs, and few
// enough to end one that backtracks without bound soon.
constexpr std::uint32_t match_limit = 10'000'000;

}  // namespace

struct Regex::Code {
  pcre2_code* code = nullptr;
  bool jit = false;
  std::string pattern;
  Code() = default;
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
  ~Code() { pcre2_code_free(code); }
};

class Regex::Scratch {
 public:
  explicit Scratch(const pcre2_code* code)
      : data_(pcre2_match_data_create_from_pattern(code, nullptr)),
        context_(pcre2_match_context_create(nullptr)),
        stack_(pcre2_jit_stack_create(32 * 1024, 4 * 1024 * 1024, nullptr)) {
    pcre2_set_match_limit(context_, match_limit);
    if (stack_) pcre2_jit_stack_assign(context_, nullptr, stack_);
  }
  ~Scratch() {
    pcre2_jit_stack_free(stack_);
    pcre2_match_context_free(context_);
    pcre2_match_data_free(data_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  pcre2_match_data* data_;
  pcre2_match_context* context_;
  pcre2_jit_stack* stack_;
};

void Regex::ScratchDeleter::operator()(Scratch* scratch) const {
  delete scratch;
}

Regex::Regex(std::string_view pattern, const std::string& where) {
  auto code = std::make_shared<Code>();
  code->pattern = pattern;
  const std::string translated = to_pcre2(pattern, where);
  int problem = 0;
  PCRE2_SIZE offset = 0;
  pcre2_compile_context* context = pcre2_compile_context_create(nullptr);
  pcre2_set_parens_nest_limit(context, 50);
  pcre2_set_newline(context, PCRE2_NEWLINE_LF);
  code->code = pcre2_compile(
      reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY,
      &problem, &offset, context);
  pcre2_compile_context_free(context);
  if (!code->code) {
    PCRE2_UCHAR message[160];
    pcre2_get_error_message(problem, message, sizeof message);
    fail_input("{}: the regular expression '{}' is not usable: {} (near position {})", where,
               pattern.substr(0, 100), reinterpret_cast<const char*>(message), offset);
  }
  code->jit = pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE) == 0;
  code_ = std::move(code);
}

Regex Regex::literal(std::string_view text, const std::string& where) {
  std::string escaped;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       (c & 0x80) != 0 || c == '\0' || c == '\n';
    if (!plain) escaped += '\\';
    escaped += c;
  }
  return Regex(escaped, where);
}

Regex::ScratchPtr Regex::make_scratch() const {
  return ScratchPtr(new Scratch(code_->code));
}

bool Regex::find(std::string_view text, std::size_t from, TextRange& match,
                 Scratch& scratch) const {
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  int result = PCRE2_ERROR_JIT_STACKLIMIT;
  if (code_->jit) {
    result = pcre2_jit_match(code_->code, subject, text.size(), from, 0, scratch.data_,
                             scratch.context_);
  }
  if (result == PCRE2_ERROR_JIT_STACKLIMIT) {  // or no JIT: the interpreter uses the heap
    result = pcre2_match(code_->code, subject, text.size(), from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                         scratch.data_, scratch.context_);
  }
  if (result == PCRE2_ERROR_NOMATCH) return false;
  if (result < 0) {
    fail_input("the regular expression '{}' needs too many steps on this text (PCRE2 error {})",
               code_->pattern.substr(0, 100), result);
  }
  const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(scratch.data_);
  match = {offsets[0], offsets[1]};
  // \K inside a lookahead can put the beginning after the end. No sensible pattern does
  // that, and callers should not have to handle it.
  if (match.begin > match.end) match.begin = match.end;
  return true;
}

bool RegexMatches::next(TextRange& match) {
  while (from_ <= text_.size()) {
    if (!regex_.find(text_, from_, match, scratch_)) return false;
    if (match.begin == match.end && match.end == last_end_) {
      from_ += from_ < text_.size() ? utf8::length(text_[from_]) : 1;
      continue;
    }
    from_ = last_end_ = match.end;
    return true;
  }
  return false;
}

}  // namespace fathom::tokenizer
