# The CUDA compiler, its flags, and the headers of the libraries that are opened
# at run time (cuBLASLt, cuDNN). Included with FATHOM_CUDA=ON only.

# -gencode flags are given by hand: CMake 3.25 knows neither sm_90a nor CUDA 13.
# Machine code for Hopper; the driver compiles the rest, Ampere and later, from PTX.
set(CMAKE_CUDA_ARCHITECTURES OFF)
if(NOT CMAKE_CUDA_COMPILER)
  find_program(CMAKE_CUDA_COMPILER nvcc HINTS /usr/local/cuda/bin $ENV{CUDA_HOME}/bin REQUIRED)
endif()
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)
set(CMAKE_CUDA_STANDARD "")

target_compile_options(fathom_options INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:
  -std=c++20
  -gencode=arch=compute_90a,code=sm_90a
  -gencode=arch=compute_80,code=compute_80
  --expt-relaxed-constexpr --extended-lambda
  -Werror=all-warnings -Xcompiler=-Wall,-Wextra,-Werror>)

# The runtime alone is linked, and statically: it needs no driver to start.
add_library(fathom_cuda_runtime INTERFACE)
target_include_directories(fathom_cuda_runtime SYSTEM INTERFACE ${CUDAToolkit_INCLUDE_DIRS})
target_link_libraries(fathom_cuda_runtime INTERFACE CUDA::cudart_static ${CMAKE_DL_LIBS})

# The header-only C++ frontend of cuDNN, from the PyPI package nvidia-cudnn-frontend.
file(GLOB frontend_hints ${CMAKE_SOURCE_DIR}/.venv/include
     ${CMAKE_SOURCE_DIR}/.venv/lib/python3*/site-packages/include)
find_path(FATHOM_CUDNN_FRONTEND cudnn_frontend.h HINTS ${frontend_hints}
          ${CUDAToolkit_INCLUDE_DIRS} DOC "Folder of cudnn_frontend.h")
if(NOT FATHOM_CUDNN_FRONTEND)
  message(FATAL_ERROR "cudnn_frontend.h is not found: scripts/setup_cuda fetches it, or pass "
                      "-DFATHOM_CUDNN_FRONTEND=<folder> (PyPI package nvidia-cudnn-frontend)")
endif()
