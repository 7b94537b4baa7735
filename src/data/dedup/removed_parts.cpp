#include "data/dedup/removed_parts.h"

#include <filesystem>

#include "io/checksum.h"

namespace fathom::dedup {

RemovedParts::RemovedParts(const std::string& scratch, std::string_view kind)
    : prefix_(fmt::format("{}/removed-{}-", scratch, kind)) {}

std::string RemovedParts::path(std::size_t segment) const {
  return prefix_ + std::to_string(segment);
}

void RemovedParts::write(const Index& index, ExternalSorter<RemovedPart>& sorted) {
  const std::size_t segments = index.segments.size();
  std::vector<Checksum> checksums(segments);
  std::optional<FileWriter> file;
  std::size_t segment = 0;
  const auto close = [&] {
    if (file) file->close();
    file.reset();
  };
  sorted.drain([&](RemovedPart part) {
    while (segment + 1 < segments && part.document >= index.segments[segment + 1].first_document) {
      close();
      ++segment;
    }
    if (!file) file.emplace(path(segment));
    part.document -= static_cast<std::uint32_t>(index.segments[segment].first_document);
    write_record(*file, part);
    checksums[segment].update(std::as_bytes(std::span(&part, 1)));
  });
  close();
  for (const Checksum& checksum : checksums) checksums_.push_back(checksum.value());
}

RemovedPartReader::RemovedPartReader(const std::optional<RemovedParts>& parts,
                                     std::size_t segment) {
  if (!parts || !std::filesystem::exists(parts->path(segment))) return;
  file_ = std::make_unique<RecordFile<RemovedPart>>(parts->path(segment), 1 << 20);
}

std::vector<std::uint32_t> RemovedPartReader::of(std::uint32_t document) {
  std::vector<std::uint32_t> numbers;
  if (!file_) return numbers;
  while (!file_->ended() && file_->front().document < document) file_->pop();
  for (; !file_->ended() && file_->front().document == document; file_->pop()) {
    numbers.push_back(file_->front().number);
  }
  return numbers;
}

}  // namespace fathom::dedup
