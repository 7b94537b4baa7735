#include "data/dedup/text_output.h"

#include "data/json_lines.h"
#include "io/json_object.h"
#include "io/line_reader.h"

namespace fathom::dedup {
namespace {

struct TextBlocks {
  std::string texts, cuts;  // lines; `texts` packed
};

void add_cut(const KeptDocument& kept, const CutDocument& cut, const std::string& field,
             TextBlocks& out) {
  out.cuts += fmt::format(
      "{{\"document\": {}, \"lines\": {}, \"paragraphs\": {}, \"tokens\": {}, \"bytes\": {}, "
      "\"how\": \"{}\"}}\n",
      json_quoted(kept.document.source), kept.lines.size(), kept.paragraphs.size(), cut.tokens,
      cut.lost_bytes, enum_name(cut.how));
  if (cut.how == Cut::part) out.texts += json_line_with_text(kept.document, field, cut.text);
}

}  // namespace

void CutCounts::add(const CutCounts& other) {
  cut += other.cut;
  left_empty += other.left_empty;
  lost_too_much += other.lost_too_much;
  lines += other.lines;
  paragraphs += other.paragraphs;
  tokens += other.tokens;
  bytes += other.bytes;
}

void write_texts(KeptTexts& texts, const DedupConfig& config, const std::string& field,
                 const std::string& path, PackedLines* cuts, Progress& progress) {
  AtomicFile file(path);
  texts.for_each_chunk<TextBlocks>(
      progress,
      [&](std::vector<KeptDocument>&& chunk) {
        TextBlocks blocks;
        for (const KeptDocument& kept : chunk) {
          const CutDocument cut = cut_document(kept, config);
          if (cut.how == Cut::none) {
            blocks.texts += json_line(kept.document);
          } else {
            add_cut(kept, cut, field, blocks);
          }
        }
        if (!blocks.texts.empty()) blocks.texts = zstd_frame(blocks.texts);
        return blocks;
      },
      [&](TextBlocks&& blocks) {
        file.write(blocks.texts);
        if (cuts) cuts->add(blocks.cuts);
      });
  file.commit();
}

CutCounts count_cuts(const std::string& path) {
  CutCounts counts;
  LineReader lines(path);
  for (std::string line; lines.next(line);) {
    const JsonObject json = JsonObject::parse(line, path);
    const auto how = enum_of<Cut>(json.text("how"));
    counts.cut += how == Cut::part;
    counts.left_empty += how == Cut::left_empty;
    counts.lost_too_much += how == Cut::lost_too_much;
    counts.lines += json.unsigned_integer("lines");
    counts.paragraphs += json.unsigned_integer("paragraphs");
    counts.tokens += json.unsigned_integer("tokens");
    counts.bytes += json.unsigned_integer("bytes");
  }
  return counts;
}

}  // namespace fathom::dedup
