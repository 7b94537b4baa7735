// Which old checkpoints are removed once a new one is committed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace fathom {

struct RetentionRule {
  std::int64_t keep_last = 2;   // newest ones, at least 1
  std::int64_t keep_every = 0;  // multiples of this step stay for good; 0: none
};

// The `steps` (ascending) whose checkpoints the rule removes once `committed` is on the
// disk. Never `committed` itself, nor any later one.
std::vector<std::int64_t> steps_to_remove(std::span<const std::int64_t> steps,
                                          const RetentionRule& rule, std::int64_t committed);

// A file of this name in a checkpoint's directory, whatever it holds: the checkpoint stays for
// good.
inline constexpr const char* keep_file_name = "keep";

// Removes the checkpoints of steps_to_remove() that have no keep file. Each directory first gets a
// temporary's name, so that a process killed in the middle leaves no half checkpoint. Files in it
// that Fathom did not make are kept, in "<name>.kept". Failures are warnings.
void apply_retention(const std::string& directory, const RetentionRule& rule,
                     std::int64_t committed);

// Renames checkpoints of steps after `step` to "<name>.abandoned", with a warning. An earlier
// one of that name is removed, unless it holds files that Fathom did not make.
void set_aside_later(const std::string& directory, std::int64_t step);

}  // namespace fathom
