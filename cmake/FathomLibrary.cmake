# fathom_library(<folder> SOURCES ... [DEPENDS <folder> ...] [LINK ...] [LINK_PUBLIC ...] [DIRECTS])
#
# DIRECTS: its code tells others what to do and computes little. In Release it compiles with -O1, in
# two thirds of the time.
#
# Declares the library fathom_<folder> of src/<folder>. Its include path holds
# its own folder and those it depends on, and nothing else of src/: each folder
# is reached through a private link in the build tree, so that including a
# header of a folder which is not declared as a dependency does not compile.
function(fathom_library folder)
  cmake_parse_arguments(ARG "DIRECTS" "" "SOURCES;DEPENDS;LINK;LINK_PUBLIC" ${ARGN})
  set(target fathom_${folder})
  set(include_root ${CMAKE_BINARY_DIR}/include/${folder})
  file(MAKE_DIRECTORY ${include_root})
  if(NOT EXISTS ${include_root}/${folder})
    file(CREATE_LINK ${CMAKE_SOURCE_DIR}/src/${folder} ${include_root}/${folder} SYMBOLIC)
  endif()
  list(TRANSFORM ARG_SOURCES PREPEND ${CMAKE_SOURCE_DIR}/src/${folder}/)
  # What differs between builds with and without CUDA compiles alone in grouped builds too: so the
  # groups of both are the same, and ccache gives one what the other made.
  set(of_one_build ${ARG_SOURCES})
  list(FILTER of_one_build INCLUDE REGEX "/(no_)?cuda/")
  if(of_one_build)
    set_source_files_properties(${of_one_build} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endif()
  add_library(${target} STATIC ${ARG_SOURCES})
  target_include_directories(${target} PUBLIC ${include_root})
  list(TRANSFORM ARG_DEPENDS PREPEND fathom_)
  foreach(dependency ${ARG_DEPENDS})
    if(NOT TARGET ${dependency})
      message(FATAL_ERROR "${target} may not depend on ${dependency}, which stands below it")
    endif()
  endforeach()
  target_link_libraries(${target} PUBLIC ${ARG_DEPENDS} ${ARG_LINK_PUBLIC}
                                  PRIVATE fathom_options ${ARG_LINK})
  if(ARG_DIRECTS)
    target_compile_options(${target} PRIVATE $<$<AND:$<CONFIG:Release>,$<COMPILE_LANGUAGE:CXX>>:-O1>)
  endif()
endfunction()

# fathom_test(<folder> SOURCES ... [DEPENDS <folder> ...] [LINK ...] [COMPUTES] [LONG])
#
# One GoogleTest executable a folder, mirroring src/: tests/<folder>/*_test.cpp. It takes two
# of the places that ctest has (CMakePresets.json), for most of them compute on two threads.
# COMPUTES: the tests' own code computes much, such as references of operations.
# LONG: it begins before shorter suites, so that none runs on alone at the end.
function(fathom_test folder)
  cmake_parse_arguments(ARG "COMPUTES;LONG" "" "SOURCES;DEPENDS;LINK" ${ARGN})
  set(target ${folder}_test)
  add_executable(${target} ${ARG_SOURCES} ${CMAKE_SOURCE_DIR}/tests/fatal_failures.cpp)
  list(TRANSFORM ARG_DEPENDS PREPEND fathom_)
  # First the library with main(): Debian's libfasttext has one too, which the linker would take.
  target_link_libraries(${target} PRIVATE
    GTest::gtest_main fathom_options fathom_${folder} ${ARG_DEPENDS} ${ARG_LINK} GTest::gmock)
  # A test's own code compiles in a quarter less time by -O1, and by -O0 in a quarter to two fifths
  # less than that; speed is measured in bench/.
  target_compile_options(${target} PRIVATE
    $<$<CONFIG:Release>:$<IF:$<BOOL:${ARG_COMPUTES}>,-O1,-O0>>)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(${target} PRIVATE FATHOM_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME ${folder} COMMAND ${target} --gtest_brief=1)
  # Threads that wait for each other sleep soon: other suites want the processors.
  set_tests_properties(${folder} PROPERTIES TIMEOUT 900 PROCESSORS 2 COST $<IF:$<BOOL:${ARG_LONG}>,10,0> ENVIRONMENT
    "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/tsan.supp;OMP_NUM_THREADS=2;GOMP_SPINCOUNT=300")
endfunction()
