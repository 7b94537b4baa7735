// Any bytes are a safetensors file or an input Error.
#include <cstddef>
#include <cstdint>

#include "core/error.h"
#include "io/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fathom;
  try {
    const SafetensorsFile file(std::as_bytes(std::span(data, size)), "fuzz");
    std::size_t total = 0;
    for (const StoredTensor& tensor : file.tensors()) {
      if (tensor.bytes() != tensor.data.size()) __builtin_trap();
      for (const std::byte byte : tensor.data) total += static_cast<std::size_t>(byte);
      if (file.find(tensor.name) != &tensor) __builtin_trap();
    }
    [[maybe_unused]] static volatile std::size_t sink;
    sink = total;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) __builtin_trap();
  }
  return 0;
}
