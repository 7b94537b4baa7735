#include "data/dedup/segment.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "data/dedup/segment_json.h"
#include "io/json_object.h"

namespace fathom::dedup {
namespace {

constexpr std::int64_t segment_version = 2;

void require_size(const FileReader& file, std::uint64_t bytes) {
  if (file.size() == bytes) return;
  fail_input("{}: has {} bytes instead of {}; remove its directory to index its files again",
             file.path(), file.size(), bytes);
}

}  // namespace

IndexOptions::IndexOptions(const DedupConfig& config)
    : keep(config.keep),
      quality_field(config.keep == Keep::best ? config.quality_field : ""),
      banding(choose_banding(config.minhash)),
      minhash(config.minhash.enabled),
      words(config.minhash.words),
      characters(config.minhash.characters),
      verify_shingles(config.minhash.verify_shingles),
      seed(config.minhash.seed),
      line_bytes(config.lines.enabled ? config.lines.min_bytes : 0),
      paragraph_bytes(config.paragraphs.enabled ? config.paragraphs.min_bytes : 0) {}

std::string IndexOptions::text() const {
  std::string text = fmt::format("keep {}", enum_name(keep));
  if (!quality_field.empty()) text += " by " + quality_field;
  if (minhash) {
    text += fmt::format(
        ", {} bands of {} rows, shingles of {} words or {} characters, {} of them kept, seed {}",
        banding.bands, banding.rows, words, characters, verify_shingles, seed);
  } else {
    text += ", exact only";
  }
  // Indexes that are older than these do not name them.
  if (line_bytes > 0) text += fmt::format(", lines of {} bytes", line_bytes);
  if (paragraph_bytes > 0) text += fmt::format(", paragraphs of {} bytes", paragraph_bytes);
  return text;
}

std::string to_json(const SegmentInfo& info) {
  nlohmann::ordered_json json;
  json["version"] = segment_version;
  json["source"] = info.source;
  json["part"] = info.part;
  json["options"] = info.options;
  json["documents"] = info.documents;
  json["text_bytes"] = info.text_bytes;
  json["broken_lines"] = info.counts.broken_lines;
  json["first_broken"] = info.counts.first_broken;
  json["empty_documents"] = info.counts.empty_documents;
  json["repaired_documents"] = info.counts.repaired_documents;
  json["replaced_bytes"] = info.counts.replaced_bytes;
  json["first_repaired"] = info.counts.first_repaired;
  for (const PartFile& file : info.files) {
    json["files"].push_back({{"path", file.path}, {"bytes", file.bytes}});
  }
  return json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

SegmentInfo load_segment_info(const std::string& path) {
  const JsonObject json = JsonObject::load(path);
  if (const std::int64_t version = json.integer("version"); version != segment_version) {
    fail_input("{}: is of version {}, this program reads {}; remove the index to build it again",
               path, version, segment_version);
  }
  SegmentInfo info{json.text("source"), json.integer("part"), json.text("options"), {}, 0, 0, {}};
  info.documents = json.unsigned_integer("documents");
  info.text_bytes = json.unsigned_integer("text_bytes");
  info.counts.broken_lines = json.integer("broken_lines");
  info.counts.first_broken = json.text("first_broken");
  info.counts.empty_documents = json.integer("empty_documents");
  info.counts.repaired_documents = json.integer("repaired_documents");
  info.counts.replaced_bytes = json.integer("replaced_bytes");
  info.counts.first_repaired = json.text("first_repaired");
  for (const JsonObject& file : json.objects("files")) {
    info.files.push_back({file.text("path"), file.unsigned_integer("bytes")});
  }
  return info;
}

Segment::Segment(std::string directory)
    : directory_(std::move(directory)),
      info_(load_segment_info(file("segment.json"))),
      documents_(file("documents")),
      sketches_(file("sketches")) {
  require_size(documents_, info_.documents * sizeof(DocumentRecord));
  if (info_.documents == 0) return;
  const DocumentRecord last = document(info_.documents - 1);
  require_size(sketches_, (last.sketch + last.hashes) * sizeof(std::uint32_t));
}

DocumentRecord Segment::document(std::uint64_t number) const {
  DocumentRecord record;
  documents_.read(number * sizeof record, std::as_writable_bytes(std::span(&record, 1)));
  return record;
}

SketchView Segment::sketch(const DocumentRecord& record, std::vector<std::uint32_t>& hashes) const {
  hashes.resize(record.hashes);
  sketches_.read(record.sketch * sizeof(std::uint32_t), std::as_writable_bytes(std::span(hashes)));
  return {hashes, record.whole != 0};
}

std::string Segment::place(const DocumentRecord& record) const {
  return fmt::format("{}:{}", info_.files.at(record.file).path, record.line);
}

}  // namespace fathom::dedup
