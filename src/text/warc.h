// Reads WARC archives (ISO 28500): WET files, whose records of type `conversion` hold the text of a
// page, as Common Crawl publishes them, and crawls, whose records of type `response` hold what a
// server sent.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "io/byte_reader.h"
#include "text/document.h"
#include "text/text_format.h"

namespace fathom {

// Whether a file begins as a WARC archive; so many bytes of it are enough.
inline constexpr std::size_t warc_sample_bytes = 8;
bool is_warc(std::string_view sample);

// The conversions of a file, each as a row of JSON: {"text", "url", "date"}, the latter two as the
// record's header has them; or its responses (see RawDocument). A document's line is the number of
// its record, from 1, all records counted. Packed files are unpacked, with a member for each record
// or without.
class WarcDocuments : public DocumentSource {
 public:
  // `content`: text for conversions, html for responses. A file that holds the other and none of
  // these is refused at its end.
  // `skip_broken`: a record whose header is broken, whose length is not its own, or a conversion of
  // more than 32 MiB becomes a row that is no JSON, which read_document() counts, and reading goes
  // on at the next version line; a file whose packed bytes are damaged or cut short ends there with
  // such a row. Without it next() throws an input Error that names file and record. A response of
  // more than 32 MiB is a page that is too large.
  WarcDocuments(std::string file, std::unique_ptr<ByteReader> bytes, TextContent content,
                bool skip_broken);

  bool next(RawDocument& document) override;
  std::uint64_t file_position() const override { return bytes_->file_position(); }

 private:
  struct Header {
    std::string type, url, date;
    std::uint64_t length = 0;
  };

  std::string_view wanted_type() const;
  bool fill();
  std::size_t read_block(std::span<char> out);
  void make_document(RawDocument& document, const Header& header, std::string_view text) const;
  bool read_line(std::string& line);
  bool find_record(bool& broken);
  bool read_header(Header& header, std::string& problem);
  bool buffer(std::size_t bytes);
  bool has_content(std::size_t length, std::string& problem);
  bool is_broken(RawDocument& document, const std::string& problem);
  void require_wanted() const;

  std::string file_;
  std::unique_ptr<ByteReader> bytes_;
  TextContent content_;
  bool skip_broken_;
  std::string buffer_;
  std::size_t at_ = 0;                                  // in the buffer
  std::uint64_t record_ = 0, wanted_ = 0, others_ = 0;  // others: of the type not wanted
  std::string damage_;                                  // what ended the packed bytes early
  bool ended_ = false;                                  // with a row that tells the damage
  bool ahead_ = false;     // the version line of the next record has been read
  bool skipping_ = false;  // to the next version line, over what was counted as broken
};

}  // namespace fathom
