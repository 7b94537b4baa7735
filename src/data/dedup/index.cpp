#include "data/dedup/index.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/error.h"
#include "core/log.h"
#include "core/open_files.h"
#include "data/dedup/segment_json.h"
#include "data/parts.h"
#include "io/atomic_directory.h"
#include "io/atomic_file.h"
#include "io/json_object.h"

namespace fathom::dedup {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t index_version = 2;

struct PlannedPart {
  const TextSourceConfig* source;
  SegmentInfo info;
  std::uint64_t bytes;  // on the disk
};

[[noreturn]] void fail_other_files(const std::string& path, const std::string& source) {
  fail_input(
      "{}: the files of source '{}' are others than when it was indexed; give added files as a "
      "source of another name, or remove the index to read all again",
      path, source);
}

void require_options(const std::string& path, const std::string& stored,
                     const std::string& wanted) {
  if (stored == wanted) return;
  fail_input("{}: this index was made with {}; the config has {}; choose another index", path,
             stored, wanted);
}

// How the documents of a source are cut out of its files: other settings give other documents.
std::string text_of_reading(const TextSourceConfig& source) {
  // Indexes that are older than the key `content` do not name it.
  const std::string_view pages = source.content == TextContent::html ? ", content html" : "";
  return fmt::format("read as {}, field '{}', separator '{}', skip_broken_lines {}{}",
                     enum_name(source.format), source.field, source.separator,
                     source.skip_broken_lines, pages);
}

// index.json: the sources in the order of adding, and how many parts each has.
struct Catalog {
  std::vector<std::string> sources;
  std::vector<std::int64_t> parts;
};

// Empty when the file is absent. Checks the options.
Catalog load_catalog(const std::string& path, const std::string& options) {
  std::error_code error;
  if (!fs::exists(path, error)) return {};
  const JsonObject json = JsonObject::load(path);
  if (json.integer("version") != index_version) {
    fail_input("{}: is of version {}, this program reads {}; remove the index to build it again",
               path, json.integer("version"), index_version);
  }
  require_options(path, json.text("options"), options);
  Catalog catalog;
  for (const JsonObject& source : json.objects("sources")) {
    catalog.sources.push_back(source.text("name"));
    catalog.parts.push_back(source.integer("parts"));
  }
  return catalog;
}

void save_catalog(const std::string& path, const std::string& options, const Catalog& catalog) {
  nlohmann::ordered_json json = {{"version", index_version}, {"options", options}};
  for (std::size_t i = 0; i < catalog.sources.size(); ++i) {
    json["sources"].push_back({{"name", catalog.sources[i]}, {"parts", catalog.parts[i]}});
  }
  write_file_atomically(path, json.dump(1) + "\n");
}

// One more than the highest part of a source that is on the disk, whether or not the catalog names
// the source: a call that failed may have left parts.
std::int64_t parts_on_disk(const std::string& segments, const std::string& source) {
  std::int64_t parts = 0;
  for (const auto& entry : fs::directory_iterator(segments)) {
    const std::string name = entry.path().filename();
    const std::size_t dash = name.rfind('-');
    if (dash == std::string::npos || name.substr(0, dash) != source) continue;
    std::int64_t part = 0;
    const char* const end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(name.data() + dash + 1, end, part);
    if (error == std::errc() && stop == end) parts = std::max(parts, part + 1);
  }
  return parts;
}

// Throws where the part was indexed from other files, or otherwise.
bool is_indexed(const PlannedPart& part, const std::string& directory) {
  const std::string stored = directory + "/segment.json";
  if (!fs::exists(stored)) return false;
  const SegmentInfo info = load_segment_info(stored);
  if (info.files != part.info.files) fail_other_files(stored, part.info.source);
  require_options(stored, info.options, part.info.options);
  return true;
}

void build_missing(const std::vector<PlannedPart>& parts, const std::string& directory,
                   const DedupConfig& config, const Sharing<DedupConfig>& sharing) {
  const std::string segments = directory + "/segments";
  const auto name = [&](std::size_t i) {
    return part_name(parts[i].info.source, parts[i].info.part);
  };
  const auto segment = [&](std::size_t i) { return segments + "/" + name(i); };
  std::vector<bool> before(parts.size());  // indexed by an earlier call
  std::uint64_t bytes = 0;                 // of the others
  for (std::size_t i = 0; i < parts.size(); ++i) {
    before[i] = is_indexed(parts[i], segment(i));
    if (!before[i]) bytes += parts[i].bytes;
  }
  const auto indexed = std::ranges::count(before, true);
  if (indexed == std::ssize(parts)) return;
  require_free_disk(segments, bytes, "the index");
  if (indexed > 0) log::info("{} of {} parts are indexed already", indexed, parts.size());
  if (sharing.begun) sharing.begun(config);
  Progress progress("indexing", bytes, Progress::Unit::bytes);
  const PartWork work{.parts = parts.size(),
                      .name = name,
                      .is_made = [&](std::size_t i) { return is_indexed(parts[i], segment(i)); },
                      .make =
                          [&](std::size_t i) {
                            build_segment(segment(i), parts[i].info, *parts[i].source, config,
                                          progress);
                          },
                      .found_made =
                          [&](std::size_t i) {
                            if (!before[i]) progress.advance(parts[i].bytes);
                          }};
  make_parts(work, directory, segments, sharing.role);
  progress.finish();
}

void open_segments(Index& index, const std::string& segments, const Catalog& catalog) {
  index.sources = catalog.sources;
  const std::int64_t all = std::accumulate(catalog.parts.begin(), catalog.parts.end(), 0L);
  // Two files a segment, a third while bands are merged, and the runs of sorting.
  allow_open_files(3 * static_cast<std::size_t>(all) + 512);
  for (std::size_t i = 0; i < index.sources.size(); ++i) {
    for (std::int64_t part = 0; part < catalog.parts[i]; ++part) {
      const std::string directory = segments + "/" + part_name(index.sources[i], part);
      if (!fs::exists(directory)) {
        fail_input(
            "{}: this part of the index is missing; give its source in the config to read "
            "it again, or remove the index",
            directory);
      }
      auto segment = std::make_unique<Segment>(directory);
      const SegmentInfo& info = segment->info();
      const std::uint64_t first = index.documents;
      index.documents += info.documents;
      index.text_bytes += info.text_bytes;
      index.segments.push_back({std::move(segment), i, first});
    }
  }
  if (index.documents >= std::numeric_limits<std::uint32_t>::max()) {
    fail_input("{}: {} documents are more than the 2^32 - 2 that an index holds", segments,
               index.documents);
  }
}

}  // namespace

const IndexedSegment& Index::segment_of(std::uint64_t document) const {
  const auto after =
      std::ranges::upper_bound(segments, document, {}, &IndexedSegment::first_document);
  return *(after - 1);
}

DocumentRecord Index::document(std::uint64_t number) const {
  const IndexedSegment& owner = segment_of(number);
  return owner.segment->document(number - owner.first_document);
}

std::string Index::place(std::uint64_t number) const {
  return segment_of(number).segment->place(document(number));
}

Index build_index(const DedupConfig& config, const std::string& directory,
                  const Sharing<DedupConfig>& sharing) {
  const std::string options = IndexOptions(config).text();
  const std::string segments = directory + "/segments", names = directory + "/index.json";
  Catalog catalog = load_catalog(names, options);
  fs::create_directories(segments);
  if (sharing.role == Role::alone) remove_stale_temporaries(segments);
  std::vector<PlannedPart> parts;
  for (const TextSourceConfig& source : config.sources) {
    const std::vector<SourcePart> planned = parts_of(source, config.part_mb, config.output);
    const auto count = static_cast<std::int64_t>(planned.size());
    const auto known = std::ranges::find(catalog.sources, source.name);
    if (known == catalog.sources.end()) {
      catalog.sources.push_back(source.name);
      catalog.parts.push_back(count);
    } else if (catalog.parts[static_cast<std::size_t>(known - catalog.sources.begin())] != count) {
      fail_other_files(names, source.name);
    }
    if (parts_on_disk(segments, source.name) > count) fail_other_files(segments, source.name);
    const std::string read_options = options + "; " + text_of_reading(source);
    for (const SourcePart& part : planned) {
      parts.push_back(
          {&source, {source.name, part.number, read_options, part.files, 0, 0, {}}, part.bytes()});
    }
  }
  build_missing(parts, directory, config, sharing);
  if (sharing.role == Role::helper) return {};
  save_catalog(names, options, catalog);
  Index index;
  open_segments(index, segments, catalog);
  return index;
}

}  // namespace fathom::dedup
