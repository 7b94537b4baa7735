// cuDNN, opened at first use: whether it is installed and usable, and its handles.
#pragma once

#include <cudnn.h>

#include <string>

#include "core/device.h"

namespace fathom::ops::cuda {

struct CudnnLibrary {
  std::string problem;      // why cuDNN cannot be used; empty: it can
  std::string path;         // where it was found
  std::size_t version = 0;  // 91900 is 9.19.0
  void* library = nullptr;  // dlopen's
  decltype(&cudnnCreate) create = nullptr;
  decltype(&cudnnSetStream) set_stream = nullptr;

  std::string version_text() const;  // "9.19.0"
};

// Looked for once, unless $FATHOM_CUDNN is "off"; never throws for what it finds or does
// not find.
const CudnnLibrary& cudnn_library();

// A handle for the device, which one thread uses at a time; for who keeps it for good. To be
// called only where the library has no problem.
cudnnHandle_t open_cudnn_handle(int device);
// What the handle runs from now on is queued on `stream`.
void set_cudnn_stream(cudnnHandle_t handle, int device, Stream stream);

// 90 on Hopper.
int compute_capability(int device);

}  // namespace fathom::ops::cuda
