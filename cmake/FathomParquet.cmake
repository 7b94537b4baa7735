# Arrow's C++ libraries, with which src/text/arrow reads Parquet: the system's, else those that
# scripts/setup_parquet put into .cache/arrow. FATHOM_ARROW is the targets to link; empty where
# there are none, or with FATHOM_PARQUET=OFF: Parquet files are then refused. FATHOM_ARROW_BUNDLED: the
# files of .cache, which an installation needs a copy of.
set(FATHOM_ARROW "")
set(FATHOM_ARROW_BUNDLED "")
if(NOT FATHOM_PARQUET)
  message(STATUS "Parquet: not read (FATHOM_PARQUET=OFF)")
  return()
endif()

find_package(Parquet 21 CONFIG QUIET)
set(arrow_cache ${CMAKE_SOURCE_DIR}/.cache/arrow)
if(TARGET Parquet::parquet_shared)
  set(FATHOM_ARROW Parquet::parquet_shared Arrow::arrow_shared)
  message(STATUS "Parquet: Arrow ${Arrow_VERSION} of the system")
elseif(EXISTS ${arrow_cache}/lib/libparquet.so)
  add_library(fathom_arrow INTERFACE)
  target_include_directories(fathom_arrow SYSTEM INTERFACE ${arrow_cache}/include)
  target_link_libraries(fathom_arrow INTERFACE
    ${arrow_cache}/lib/libparquet.so ${arrow_cache}/lib/libarrow.so)
  set(FATHOM_ARROW fathom_arrow)
  # By the names that the linker asks for: libarrow.so.2500.
  file(GLOB FATHOM_ARROW_BUNDLED ${arrow_cache}/lib/libarrow.so.* ${arrow_cache}/lib/libparquet.so.*)
  message(STATUS "Parquet: Arrow of ${arrow_cache}")
else()
  message(STATUS "Parquet: not read, for Arrow is missing (scripts/setup_parquet fetches it)")
endif()
