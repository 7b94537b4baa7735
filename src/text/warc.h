// Reads WET files: WARC archives (ISO 28500) whose records of type `conversion` hold the text of a
// page, as Common Crawl publishes them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "io/byte_reader.h"
#include "text/document.h"

namespace fathom {

// Whether a file begins as a WARC archive.
bool is_warc(std::string_view sample);

// The conversions of a file, each as a row of JSON: {"text", "url", "date"}, the latter two as the
// record's header has them. A document's line is the number of its record, from 1, all records
// counted. Packed files are unpacked, with a member for each record or without.
class WarcDocuments : public DocumentSource {
 public:
  // `skip_broken`: a record whose header is broken, whose length is not its own, or a conversion of
  // more than 32 MiB becomes a row that is no JSON, which read_document() counts, and reading goes
  // on at the next version line. Without it next() throws an input Error that names file and
  // record. A file that holds responses and no conversion is
  // refused at its end.
  WarcDocuments(std::string file, std::unique_ptr<ByteReader> bytes, bool skip_broken);

  bool next(RawDocument& document) override;
  std::uint64_t file_position() const override { return bytes_->file_position(); }

 private:
  struct Header {
    std::string type, url, date;
    std::uint64_t length = 0;
  };

  bool fill();
  bool read_line(std::string& line);
  bool find_record(bool& broken);
  bool read_header(Header& header, std::string& problem);
  bool buffer(std::size_t bytes);
  bool has_content(std::size_t length, std::string& problem);
  bool is_broken(RawDocument& document, const std::string& problem);

  std::string file_;
  std::unique_ptr<ByteReader> bytes_;
  bool skip_broken_;
  std::string buffer_;
  std::size_t at_ = 0;  // in the buffer
  std::uint64_t record_ = 0, conversions_ = 0, responses_ = 0;
  bool ahead_ = false;     // the version line of the next record has been read
  bool skipping_ = false;  // to the next version line, over what was counted as broken
};

}  // namespace fathom
