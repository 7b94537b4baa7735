#include "data/dedup/kept_texts.h"

#include "data/dedup/cut_text.h"

namespace fathom::dedup {

CutDocument cut_document(const KeptDocument& kept, double max_lost) {
  if (kept.lines.empty() && kept.paragraphs.empty()) return {};
  const std::string& whole = kept.document.text;
  std::string text = without_passages(whole, kept.lines, kept.paragraphs);
  const std::uint64_t lost = whole.size() - text.size();
  if (!has_words(text)) return {Cut::left_empty, {}, whole.size()};
  if (static_cast<double>(lost) > max_lost * static_cast<double>(whole.size())) {
    return {Cut::lost_too_much, {}, whole.size()};
  }
  return {Cut::part, std::move(text), lost};
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
    kept.push_back({std::move(document), number, lines_.of(number), paragraphs_.of(number)});
  }
  return kept;
}

void KeptTexts::check_ended() const {
  if (number_ == segment_.segment->info().documents) return;
  fail_input("source '{}': its files have fewer documents than when they were indexed",
             source_.name);
}

}  // namespace fathom::dedup
