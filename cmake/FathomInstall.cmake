# What `cmake --install` puts where, relative to a prefix that can be moved afterwards:
#
#   bin/fathom
#   lib/fathom/             the reader of Parquet, with Arrow where the system has none
#   share/fathom/configs/   models, runs, tasks, recipes (core/program_files.h finds them)
#   share/man/man1/, share/bash-completion/, share/zsh/, share/fish/
#   share/doc/fathom/       README.md, docs/, LICENSE
#
# Components beside `fathom`, which `cmake --install` leaves out unless asked:
#   libraries   the shared libraries that fathom needs, besides the C library's and CUDA's, in
#               lib/fathom: with them a folder runs on machines without our packages
#   debian      the files that Debian demands of a package
# The licence is a component too, for a Debian package refers to the system's copy.
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME fathom)
set(CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(private_libraries lib/fathom)

# RPATH rather than RUNPATH: it also serves the libraries of the libraries.
set_target_properties(fathom PROPERTIES INSTALL_RPATH "$ORIGIN/../lib/fathom")
target_link_options(fathom PRIVATE -Wl,--disable-new-dtags)
set(artifacts fathom)
if(TARGET fathom_parquet)
  set_target_properties(fathom_parquet PROPERTIES INSTALL_RPATH "$ORIGIN")
  target_link_options(fathom_parquet PRIVATE -Wl,--disable-new-dtags)
  list(APPEND artifacts fathom_parquet)
endif()
install(TARGETS ${artifacts} RUNTIME_DEPENDENCY_SET fathom_needs
  RUNTIME DESTINATION bin
  LIBRARY DESTINATION ${private_libraries})
if(FATHOM_ARROW_BUNDLED)
  install(FILES ${FATHOM_ARROW_BUNDLED} DESTINATION ${private_libraries})
  # CMake strips only what it built.
  list(TRANSFORM FATHOM_ARROW_BUNDLED REPLACE ".*/" "./" OUTPUT_VARIABLE names)
  list(JOIN names " " names)
  install(CODE "
    if(CMAKE_INSTALL_DO_STRIP)
      execute_process(COMMAND \"${CMAKE_STRIP}\" --strip-unneeded ${names} COMMAND_ERROR_IS_FATAL ANY
        WORKING_DIRECTORY \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${private_libraries}\")
    endif()")
endif()
# CUDA, cuDNN and NCCL are found at run time, where the driver, a toolkit or PyTorch has them.
install(RUNTIME_DEPENDENCY_SET fathom_needs
  PRE_EXCLUDE_REGEXES
    "^lib(c|m|dl|rt|pthread)\\.so\\." "^ld-linux" "^lib(cuda|cublas|cudnn|nccl|nvrtc)" "^lib(arrow|parquet)\\.so"
  LIBRARY DESTINATION ${private_libraries} COMPONENT libraries EXCLUDE_FROM_ALL
  RUNTIME DESTINATION bin COMPONENT libraries EXCLUDE_FROM_ALL
  FRAMEWORK DESTINATION ${private_libraries} COMPONENT libraries EXCLUDE_FROM_ALL)
# A library with a search path of its own, such as libmpi, would not be served by fathom's.
install(CODE "
  file(GLOB libraries \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${private_libraries}/*.so*\")
  foreach(library IN LISTS libraries)
    if(NOT IS_SYMLINK \"\${library}\")
      file(RPATH_REMOVE FILE \"\${library}\")
    endif()
  endforeach()" COMPONENT libraries EXCLUDE_FROM_ALL)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/configs DESTINATION share/fathom)
install(FILES ${PROJECT_SOURCE_DIR}/README.md DESTINATION share/doc/fathom)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs DESTINATION share/doc/fathom)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION share/doc/fathom COMPONENT licence)

# What the binary writes of its own help (src/cli/CMakeLists.txt).
install(DIRECTORY ${PROJECT_BINARY_DIR}/share/ DESTINATION share)
