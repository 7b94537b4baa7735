# The CUDA compiler, its flags, and the headers of the libraries that are opened
# at run time (cuBLASLt). Included with FATHOM_CUDA=ON only.

# -gencode flags are given by hand: CMake 3.25 knows neither sm_90a nor CUDA 13.
# Machine code for Hopper; the driver compiles the rest, Ampere and later, from PTX.
set(CMAKE_CUDA_ARCHITECTURES OFF)
if(NOT CMAKE_CUDA_COMPILER)
  find_program(CMAKE_CUDA_COMPILER nvcc HINTS /usr/local/cuda/bin $ENV{CUDA_HOME}/bin REQUIRED)
endif()
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)
# CMake 3.25 does not know that nvcc speaks C++20.
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
  list(APPEND CMAKE_CUDA_COMPILE_FEATURES cuda_std_20)
  set(CMAKE_CUDA_STANDARD_LATEST 20)
endif()
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_EXTENSIONS OFF)

target_compile_options(fathom_options INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:
  -gencode=arch=compute_90a,code=sm_90a
  -gencode=arch=compute_80,code=compute_80
  --expt-relaxed-constexpr --extended-lambda
  -Werror=all-warnings -Xcompiler=-Wall,-Wextra,-Werror>)

# The runtime alone is linked, and statically: it needs no driver to start.
add_library(fathom_cuda_runtime INTERFACE)
target_include_directories(fathom_cuda_runtime SYSTEM INTERFACE ${CUDAToolkit_INCLUDE_DIRS})
target_link_libraries(fathom_cuda_runtime INTERFACE CUDA::cudart_static ${CMAKE_DL_LIBS})

# cuDNN's C++ frontend and C headers, for src/ops/cuda alone; the library itself is
# opened at run time. scripts/setup_cuda puts what the toolkit lacks into .cache.
set(FATHOM_CUDNN_CACHE ${CMAKE_SOURCE_DIR}/.cache/cudnn)
find_path(FATHOM_CUDNN_FRONTEND_INCLUDE cudnn_frontend.h
  HINTS ${FATHOM_CUDNN_CACHE}/include PATH_SUFFIXES include)
find_path(FATHOM_CUDNN_INCLUDE cudnn.h
  HINTS ${FATHOM_CUDNN_CACHE}/include ${CUDAToolkit_INCLUDE_DIRS})
if(NOT FATHOM_CUDNN_FRONTEND_INCLUDE OR NOT FATHOM_CUDNN_INCLUDE)
  message(FATAL_ERROR "cuDNN's headers are missing: run scripts/setup_cuda")
endif()
add_library(fathom_cudnn_headers INTERFACE)
target_include_directories(fathom_cudnn_headers SYSTEM INTERFACE
  ${FATHOM_CUDNN_FRONTEND_INCLUDE} ${FATHOM_CUDNN_INCLUDE} ${CUDAToolkit_INCLUDE_DIRS})
