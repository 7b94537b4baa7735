#include "io/zstd_frame.h"

#include <zstd.h>

#include "core/error.h"

namespace fathom {

std::string zstd_frame(std::string_view text, int level) {
  std::string frame(ZSTD_compressBound(text.size()), '\0');
  const std::size_t size =
      ZSTD_compress(frame.data(), frame.size(), text.data(), text.size(), level);
  if (ZSTD_isError(size)) fail_runtime("zstd: {}", ZSTD_getErrorName(size));
  frame.resize(size);
  return frame;
}

}  // namespace fathom
