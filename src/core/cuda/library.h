// NVIDIA's libraries (cuBLASLt, cuDNN, NCCL), opened when first used: the binary
// starts without them, and finds them where a toolkit or PyTorch left them.
#pragma once

#include <string>

namespace fathom::cuda {

// Their files; a number is the version that the build's headers are of.
inline constexpr const char* cublaslt_file = "libcublasLt.so.13";
inline constexpr const char* cudnn_file = "libcudnn.so.9";
inline constexpr const char* nccl_file = "libnccl.so.2";

class Library {
 public:
  // Opens `file` ("libcublasLt.so.13"), looking in $FATHOM_CUDA_LIBRARIES (folders
  // separated by ':'), where the dynamic linker looks, in CUDA toolkits and in
  // the nvidia packages of the Python environments on $PATH. Throws an input
  // Error that names the file and what to do. It stays open.
  explicit Library(const std::string& file);

  // The function `name`; throws an input Error when this version lacks it.
  template <class F>
  void find(const char* name, F& function) const {
    function = reinterpret_cast<F>(symbol(name));
  }

  const std::string& path() const { return path_; }  // where it was found
  void* handle() const { return handle_; }           // dlopen's, for code that looks up by itself

 private:
  void* symbol(const char* name) const;

  std::string path_;
  void* handle_ = nullptr;
};

}  // namespace fathom::cuda
