#include "data/dedup/kept_texts.h"

#include "data/dedup/cut_text.h"

namespace fathom::dedup {
namespace {

Cut how_cut(std::string_view rest, std::uint64_t lost, std::uint64_t whole, double max_lost) {
  if (!has_words(rest)) return Cut::left_empty;
  const double most = max_lost * static_cast<double>(whole);
  return static_cast<double>(lost) > most ? Cut::lost_too_much : Cut::part;
}

}  // namespace

CutDocument cut_document(const KeptDocument& kept, const DedupConfig& config) {
  if (kept.lines.empty() && kept.paragraphs.empty() && kept.sequences.empty()) return {};
  const std::string& whole = kept.document.text;
  CutDocument cut;
  std::string text = without_passages(whole, kept.lines, kept.paragraphs);
  text = without_sequences(text, kept.sequences, config.substrings.tokens, cut.tokens);
  cut.lost_bytes = whole.size() - text.size();
  cut.how = how_cut(text, cut.lost_bytes, whole.size(), config.max_lost);
  if (cut.how == Cut::part) {
    cut.text = std::move(text);
  } else {
    cut.lost_bytes = whole.size();
  }
  return cut;
}

std::vector<std::string> KeptTexts::files() const {
  std::vector<std::string> files;
  for (const PartFile& file : segment_.segment->info().files) files.push_back(file.path);
  return files;
}

std::vector<KeptDocument> KeptTexts::kept_of(DocumentChunk&& chunk) {
  std::vector<KeptDocument> kept;
  for (Document& document : chunk.documents) {
    if (number_ == segment_.segment->info().documents) {
      fail_input("{}: has more documents than when it was indexed", document.source);
    }
    const auto number = static_cast<std::uint32_t>(number_++);
    if (clusters_.fates[segment_.first_document + number] != Fate::stays) continue;
    kept.push_back({std::move(document), number, lines_.of(number), paragraphs_.of(number),
                    sequences_.of(number)});
  }
  return kept;
}

void KeptTexts::check_ended() const {
  if (number_ == segment_.segment->info().documents) return;
  fail_input("source '{}': its files have fewer documents than when they were indexed",
             source_.name);
}

}  // namespace fathom::dedup
