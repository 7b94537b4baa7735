// Opening NVIDIA's libraries; in builds with CUDA, with or without a GPU.
#include <gmock/gmock.h>

#include <cstdlib>

#include "core/cuda/library.h"
#include "core/error.h"
#include "core/gpu_report.h"

namespace fathom {
namespace {

using testing::AllOf;
using testing::HasSubstr;

template <class F>
std::string input_error_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input) << "the user's to mend";
    return error.what();
  }
  return "no error";
}

TEST(CudaLibrary, AMissingOneSaysWhatToDo) {
  EXPECT_THAT(input_error_of([] { cuda::Library("libcublasLt.so.0"); }),
              AllOf(HasSubstr("cannot open libcublasLt.so.0"), HasSubstr("PyTorch"),
                    HasSubstr("FATHOM_CUDA_LIBRARIES")));
}

// A library that every machine has takes the place of one of another version.
TEST(CudaLibrary, AnotherVersionLacksFunctions) {
  const cuda::Library library("libm.so.6");
  double (*cosine)(double) = nullptr;
  library.find("cos", cosine);
  EXPECT_EQ(cosine(0), 1);
  EXPECT_THAT(input_error_of([&] { library.find("cublasLtMatmul", cosine); }),
              AllOf(HasSubstr("libm.so.6 has no cublasLtMatmul"), HasSubstr("another version")));
}

TEST(CudaReport, SaysWhatIsThereAndWhatIsNot) {
  const CudaReport report = report_cuda();
  EXPECT_EQ(report.problem.empty(), !report.gpus.empty());
  EXPECT_FALSE(report.runtime.empty());
  ASSERT_EQ(report.libraries.size(), 3u);
  for (const LibraryReport& library : report.libraries) {
    EXPECT_NE(library.problem.empty(), library.version.empty()) << library.name;
    EXPECT_EQ(library.problem.find('\n'), std::string::npos) << library.problem;
  }
}

}  // namespace
}  // namespace fathom
