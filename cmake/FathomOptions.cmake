# Compiler flags that every target of ours uses: warnings as errors, the
# instruction set, sanitizers, ccache. Collected in the target fathom_options.

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE})
endif()

find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(Threads REQUIRED)

add_library(fathom_options INTERFACE)
target_compile_options(fathom_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror>)
# GCC 12 reports overlaps inside std::string's own operators that cannot be (its bug
# 105651).
target_compile_options(fathom_options INTERFACE
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-Wno-restrict>)
# In a grouped build, several files are one to the compiler: a local name may be another file's
# constant, and a class may have members of its own file's unnamed namespace. Builds that compile
# file by file check both.
if(CMAKE_UNITY_BUILD)
  target_compile_options(fathom_options INTERFACE
    $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-Wno-shadow -Wshadow=local -Wno-subobject-linkage>)
endif()
target_link_libraries(fathom_options INTERFACE Threads::Threads)

# AVX2 and FMA (every x86-64 laptop since 2013) unless the user asks for more:
# one binary then runs on all of them, and oneDNN picks wider code by itself.
if(FATHOM_CPU_ARCH)
  target_compile_options(fathom_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-march=${FATHOM_CPU_ARCH}>)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_compile_options(fathom_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-march=x86-64-v3>)
endif()
# Without errno and traps the vectoriser can use exp, sqrt and blends; neither
# flag changes a result.
target_compile_options(fathom_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-fno-math-errno -fno-trapping-math>)

if(FATHOM_SANITIZE STREQUAL "address")
  set(sanitize -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
elseif(FATHOM_SANITIZE STREQUAL "thread")
  set(sanitize -fsanitize=thread -fno-omit-frame-pointer)
elseif(FATHOM_SANITIZE)
  message(FATAL_ERROR "FATHOM_SANITIZE is '${FATHOM_SANITIZE}': use address or thread")
endif()
if(FATHOM_FUZZ)
  set(sanitize -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
endif()
if(sanitize)
  target_compile_options(fathom_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:${sanitize}>)
  target_link_options(fathom_options INTERFACE ${sanitize})
endif()
