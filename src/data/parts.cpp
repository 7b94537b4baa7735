#include "data/parts.h"

#include <filesystem>

#include "core/error.h"
#include "core/log.h"
#include "data/prepare_check.h"
#include "io/input_files.h"
#include "io/json_object.h"
#include "text/utf8.h"

namespace fathom {

std::uint64_t SourcePart::bytes() const {
  std::uint64_t sum = 0;
  for (const PartFile& file : files) sum += file.bytes;
  return sum;
}

std::vector<std::string> SourcePart::paths() const {
  std::vector<std::string> paths;
  for (const PartFile& file : files) paths.push_back(file.path);
  return paths;
}

std::string part_name(const std::string& source, std::int64_t number) {
  return fmt::format("{}-{:05}", source, number);
}

std::vector<std::string> part_patterns(std::span<const std::string> sources) {
  std::vector<std::string> patterns;
  for (const std::string& source : sources) {
    std::string digits;
    for (int i = 0; i < 7; ++i) {
      digits += "[0-9]";
      if (i >= 4) patterns.push_back(source + "-" + digits);
    }
  }
  return patterns;
}

std::vector<SourcePart> parts_of(const TextSourceConfig& source, std::int64_t part_mb,
                                 const std::string& output) {
  const InputFiles found = find_input_files(source.paths, "source '" + source.name + "'");
  for (const std::string& note : found.notes) log::warning("{}", note);
  if (!output.empty()) check_apart(output, found, source.name);
  const std::uint64_t part_bytes = static_cast<std::uint64_t>(part_mb) << 20;
  std::vector<SourcePart> parts;
  std::uint64_t bytes = 0;
  for (const std::string& path : found.paths) {
    if (utf8::valid_prefix(path) != path.size()) {
      fail_input("source '{}': {}: the name of this file is not UTF-8; rename it", source.name,
                 json_quoted(path));
    }
    std::error_code error;
    const std::uint64_t size = std::filesystem::file_size(path, error);
    if (error) fail_input("{}: cannot read this file: {}", path, error.message());
    if (parts.empty() || bytes >= part_bytes) {
      parts.push_back({static_cast<std::int64_t>(parts.size()), {}});
      bytes = 0;
    }
    parts.back().files.push_back({path, size});
    bytes += size;
  }
  return parts;
}

}  // namespace fathom
