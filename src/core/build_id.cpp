#include "core/build_id.h"

#include <elf.h>
#include <fmt/format.h>
#include <link.h>

#include <cstring>
#include <span>
#include <string_view>

namespace fathom {
namespace {

constexpr std::size_t padded(std::size_t bytes) {
  return (bytes + 3) / 4 * 4;
}

// A segment of notes: each a header, a name and a description, padded to four bytes.
std::string build_id_in(std::span<const unsigned char> notes) {
  while (notes.size() >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) note;
    std::memcpy(&note, notes.data(), sizeof note);
    const std::size_t name = sizeof note, description = name + padded(note.n_namesz);
    const std::size_t end = description + padded(note.n_descsz);
    if (end > notes.size()) return {};
    const std::string_view owner(reinterpret_cast<const char*>(notes.data()) + name, note.n_namesz);
    if (note.n_type == NT_GNU_BUILD_ID && owner == std::string_view("GNU", 4)) {
      return fmt::format("{:02x}", fmt::join(notes.subspan(description, note.n_descsz), ""));
    }
    notes = notes.subspan(end);
  }
  return {};
}

// Of the first object, which is the program itself.
int look_at(dl_phdr_info* object, std::size_t, void* found) {
  for (const ElfW(Phdr) & part : std::span(object->dlpi_phdr, object->dlpi_phnum)) {
    auto& id = *static_cast<std::string*>(found);
    if (part.p_type != PT_NOTE || !id.empty()) continue;
    const auto address = object->dlpi_addr + part.p_vaddr;
    id = build_id_in({reinterpret_cast<const unsigned char*>(address), part.p_memsz});
  }
  return 1;
}

}  // namespace

std::string build_id() {
  std::string id;
  dl_iterate_phdr(look_at, &id);
  return id;
}

}  // namespace fathom
