#include "checkpoint/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/error.h"
#include "io/checksum.h"
#include "io/json_object.h"

namespace fathom {
namespace {

constexpr std::string_view checksum_head = "{\n\"checksum\": \"";
constexpr std::string_view checksum_tail = "\",\n";
constexpr std::size_t checksum_digits = 16;
constexpr std::size_t head_bytes = checksum_head.size() + checksum_digits + checksum_tail.size();

std::uint64_t parse_checksum(std::string_view digits, const std::string& source) {
  std::uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (digits.size() != checksum_digits || error != std::errc() ||
      end != digits.data() + digits.size()) {
    fail_input("{}: a checksum in it is not {} hexadecimal digits; is it damaged?", source,
               checksum_digits);
  }
  return value;
}

template <class E>
E parse_name(const std::string& name, int count, const char* what, const std::string& source) {
  for (int i = 0; i < count; ++i) {
    if (name == name_of(static_cast<E>(i))) return static_cast<E>(i);
  }
  fail_input("{}: there is no {} '{}'", source, what, name);
}

// Refuses a name that could lead out of the checkpoint's directory. The only folder in it is that
// of a model's further chat templates.
void check_file_name(const std::string& name, const std::string& source) {
  constexpr std::string_view folder = "additional_chat_templates/";
  std::string_view base = name;
  if (base.starts_with(folder)) base.remove_prefix(folder.size());
  if (base.empty() || base[0] == '.' || base.find('/') != std::string_view::npos) {
    fail_input("{}: '{}' is no name of a file beside it", source, name);
  }
}

std::string list_text(std::span<const std::int64_t> values) {
  return fmt::format("[{}]", fmt::join(values, ","));
}

ManifestFile parse_file(const JsonObject& json) {
  ManifestFile file{json.text("name"), json.unsigned_integer("bytes"),
                    parse_checksum(json.text("checksum"), json.source())};
  check_file_name(file.name, json.source());
  return file;
}

// The checksums of a slice's blocks, one after another without a space: a large run's manifest
// has hundreds of thousands.
std::string checksums_text(const std::vector<std::uint64_t>& checksums) {
  std::string text;
  for (const std::uint64_t checksum : checksums) text += checksum_text(checksum);
  return text;
}

std::vector<std::uint64_t> parse_checksums(std::string_view text, const std::string& source) {
  std::vector<std::uint64_t> checksums;
  for (; !text.empty(); text.remove_prefix(std::min(checksum_digits, text.size()))) {
    checksums.push_back(parse_checksum(text.substr(0, checksum_digits), source));
  }
  return checksums;
}

ManifestSlice parse_slice(const JsonObject& json) {
  return {json.integers("offset"), json.integers("extent"), json.text("file"), json.text("key"),
          parse_checksums(json.find_text("blocks").value_or(""), json.source())};
}

ManifestTensor parse_tensor(const JsonObject& json, std::uint64_t block_bytes) {
  const std::string& source = json.source();
  ManifestTensor tensor;
  tensor.name = json.text("name");
  tensor.kind = parse_name<StateKind>(json.text("kind"), num_state_kinds, "kind", source);
  tensor.dtype = parse_name<DType>(json.text("dtype"), dtype_count, "element type", source);
  const auto dims = json.integers("shape");
  std::int64_t elements = 1;
  if (dims.empty() || dims.size() > Shape::max_rank) {
    fail_input("{}: '{}' has {} dimensions, not 1 to {}", source, tensor.name, dims.size(),
               Shape::max_rank);
  }
  for (const std::int64_t dim : dims) {
    if (dim < 1 || __builtin_mul_overflow(elements, dim, &elements)) {
      fail_input("{}: '{}' cannot have the shape {}", source, tensor.name, list_text(dims));
    }
  }
  tensor.shape = Shape(dims);
  for (const JsonObject& slice : json.objects("slices")) {
    tensor.slices.push_back(parse_slice(slice));
    // Blocks of another size are another version's; the files' checksums are left.
    if (block_bytes != slice_block_bytes) tensor.slices.back().checksums.clear();
  }
  return tensor;
}

bool overlap(const ManifestSlice& a, const ManifestSlice& b) {
  for (std::size_t i = 0; i < a.offset.size(); ++i) {
    if (a.offset[i] + a.extent[i] <= b.offset[i] || b.offset[i] + b.extent[i] <= a.offset[i]) {
      return false;
    }
  }
  return true;
}

}  // namespace

void check_slices(const ManifestTensor& tensor, const std::string& source) {
  const auto rank = static_cast<std::size_t>(tensor.shape.rank());
  std::int64_t covered = 0;
  for (const ManifestSlice& slice : tensor.slices) {
    bool inside = slice.offset.size() == rank && slice.extent.size() == rank;
    std::int64_t elements = 1;
    for (std::size_t i = 0; inside && i < rank; ++i) {
      const std::int64_t size = tensor.shape[static_cast<int>(i)];
      inside = slice.offset[i] >= 0 && slice.extent[i] >= 1 && slice.extent[i] <= size &&
               slice.offset[i] <= size - slice.extent[i];
      if (inside) elements *= slice.extent[i];
    }
    if (!inside) {
      fail_input("{}: a slice of '{}' at {} of size {} is not inside its shape {}", source,
                 tensor.name, list_text(slice.offset), list_text(slice.extent),
                 to_string(tensor.shape));
    }
    covered += elements;
    const std::uint64_t bytes = static_cast<std::uint64_t>(elements) * size_of(tensor.dtype);
    const std::uint64_t blocks = (bytes + slice_block_bytes - 1) / slice_block_bytes;
    if (!slice.checksums.empty() && slice.checksums.size() != blocks) {
      fail_input("{}: a slice of '{}' of {} bytes has {} checksums, not {}", source, tensor.name,
                 bytes, slice.checksums.size(), blocks);
    }
    for (const ManifestSlice& other : tensor.slices) {
      if (&other == &slice) break;
      if (overlap(slice, other)) {
        fail_input("{}: two slices of '{}' overlap, at {} and {}", source, tensor.name,
                   list_text(other.offset), list_text(slice.offset));
      }
    }
  }
  if (covered != tensor.shape.elements()) {
    fail_input("{}: the slices of '{}' hold {} of its {} values", source, tensor.name, covered,
               tensor.shape.elements());
  }
}

std::string checkpoint_manifest_text(const CheckpointManifest& manifest) {
  std::string body =
      fmt::format("\"format\": {},\n\"step\": {},\n\"block_bytes\": {},\n\"files\": [\n",
                  CheckpointManifest::current_version, manifest.step, slice_block_bytes);
  const char* comma = "";
  for (const ManifestFile& file : manifest.files) {
    body += fmt::format("{}{{\"name\": {}, \"bytes\": {}, \"checksum\": \"{}\"}}", comma,
                        json_quoted(file.name), file.bytes, checksum_text(file.checksum));
    comma = ",\n";
  }
  body += "\n],\n\"tensors\": [\n";
  comma = "";
  for (const ManifestTensor& tensor : manifest.tensors) {
    body += fmt::format(
        "{}{{\"kind\": \"{}\", \"name\": {}, \"dtype\": \"{}\", \"shape\": {}, \"slices\": [",
        comma, name_of(tensor.kind), json_quoted(tensor.name), name_of(tensor.dtype),
        list_text(tensor.shape.dims()));
    comma = "";
    for (const ManifestSlice& slice : tensor.slices) {
      body += fmt::format(
          "{}{{\"offset\": {}, \"extent\": {}, \"file\": {}, \"key\": {}, \"blocks\": \"{}\"}}",
          comma, list_text(slice.offset), list_text(slice.extent), json_quoted(slice.file),
          json_quoted(slice.key), checksums_text(slice.checksums));
      comma = ", ";
    }
    body += "]}";
    comma = ",\n";
  }
  body += "\n]\n}\n";
  return fmt::format("{}{}{}{}", checksum_head, checksum_text(checksum_of(body)), checksum_tail,
                     body);
}

CheckpointManifest parse_checkpoint_manifest(std::string_view text, const std::string& source,
                                             ManifestSlices slices) {
  const bool framed = text.size() > head_bytes && text.starts_with(checksum_head) &&
                      text.substr(0, head_bytes).ends_with(checksum_tail);
  if (!framed)
    fail_input("{}: does not begin like a checkpoint's manifest; is it damaged?", source);
  const auto stated = text.substr(checksum_head.size(), checksum_digits);
  if (parse_checksum(stated, source) != checksum_of(text.substr(head_bytes))) {
    fail_input("{}: its content does not match its checksum; the file is damaged", source);
  }
  const JsonObject json = JsonObject::parse(text, source);
  const std::int64_t version = json.integer("format");
  if (version != CheckpointManifest::current_version) {
    fail_input("{}: has format {}, but this program reads format {}; use the version that wrote it",
               source, version, CheckpointManifest::current_version);
  }
  CheckpointManifest manifest;
  manifest.step = json.integer("step");
  const auto block_bytes = static_cast<std::uint64_t>(json.find_integer("block_bytes").value_or(0));
  for (const JsonObject& file : json.objects("files")) manifest.files.push_back(parse_file(file));
  for (const JsonObject& tensor : json.objects("tensors")) {
    manifest.tensors.push_back(parse_tensor(tensor, block_bytes));
    if (slices == ManifestSlices::whole) check_slices(manifest.tensors.back(), source);
  }
  return manifest;
}

}  // namespace fathom
