// Any bytes are a GGUF file with a model and a tokenizer, or an input Error.
#include <cstddef>
#include <cstdint>

#include "core/error.h"
#include "model/gguf.h"
#include "tokenizer/gguf_vocabulary.h"

namespace {

using namespace fathom;

template <class F>
void only_input_errors(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) __builtin_trap();
  }
}

void read_tensors(const GgufFile& file) {
  for (const GgufTensor& tensor : file.tensors()) {
    if (tensor.bytes() != tensor.data.size()) __builtin_trap();
    if (file.find(tensor.name) != &tensor) __builtin_trap();
    std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
    decode_gguf(tensor.type, tensor.data, values.data());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  only_input_errors([&] {
    const GgufFile file(std::as_bytes(std::span(data, size)), "fuzz");
    read_tensors(file);
    only_input_errors([&] { read_gguf_tokenizer(file); });
    const ModelDescription model = load_gguf_description(file);
    gguf_weights(file, model.config);
  });
  return 0;
}
