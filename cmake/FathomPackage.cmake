# CPack: `cpack --preset release` after a build makes a tarball, which runs from any folder on a
# machine without our packages, and where dpkg is also a Debian package, which depends on Debian's
# libraries. A build with CUDA makes fathom-cuda, which takes the place of fathom.
set(CPACK_PACKAGE_NAME fathom)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_VENDOR "Fathom's maintainers")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "native training, evaluation and serving of language models")
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR})
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS ${CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS})
set(CPACK_THREADS 0)
if(FATHOM_CUDA)
  set(CPACK_PACKAGE_NAME fathom-cuda)
  set(CPACK_DEBIAN_PACKAGE_PROVIDES "fathom (= ${PROJECT_VERSION})")
  set(CPACK_DEBIAN_PACKAGE_CONFLICTS fathom)
  set(CPACK_DEBIAN_PACKAGE_REPLACES fathom)
endif()
string(TOLOWER "${CPACK_PACKAGE_NAME}-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR}"
       CPACK_PACKAGE_FILE_NAME)

set(CPACK_GENERATOR TGZ)
find_program(DPKG_SHLIBDEPS dpkg-shlibdeps)
if(DPKG_SHLIBDEPS)
  list(APPEND CPACK_GENERATOR DEB)
endif()
# Both hold components in one file; which ones, FathomPackageComponents.cmake says.
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_CURRENT_LIST_DIR}/FathomPackageComponents.cmake)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_ARCHIVE_COMPONENT_INSTALL ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)

set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${FATHOM_MAINTAINER}")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
# Python runs the programs that benchmarks ask for; librsvg2-bin draws PNG; openmpi-bin has mpirun.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS man-db)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "librsvg2-bin, openmpi-bin, python3")
set(CPACK_PACKAGE_DESCRIPTION
"Fathom takes text to a trained, aligned, evaluated and served language
model of the DeepSeek LLM kind, from a laptop's processor to many GPUs. It
prepares data, trains tokenizers, pre-trains with data, tensor, sequence
and pipeline parallelism, fits scaling laws, fine-tunes (SFT, DPO),
evaluates, generates, and serves models over HTTP.
.
Models are Hugging Face directories, which other programs open too.
No Python is needed at run time.")

# What Debian demands: the copyright file and the log of changes.
set(debian ${PROJECT_BINARY_DIR}/debian)
string(TIMESTAMP package_date "%a, %d %b %Y %H:%M:%S +0000" UTC)  # heeds SOURCE_DATE_EPOCH
string(TIMESTAMP copyright_year "%Y" UTC)
configure_file(${CMAKE_CURRENT_LIST_DIR}/debian/copyright.in ${debian}/copyright @ONLY)
configure_file(${CMAKE_CURRENT_LIST_DIR}/debian/changelog.in ${debian}/changelog @ONLY)
if(GZIP)
  execute_process(COMMAND ${GZIP} -9nf ${debian}/changelog COMMAND_ERROR_IS_FATAL ANY)
  install(FILES ${debian}/copyright ${debian}/changelog.gz DESTINATION share/doc/${CPACK_PACKAGE_NAME}
    COMPONENT debian EXCLUDE_FROM_ALL)
endif()
set(arrow_overrides "")
if(FATHOM_ARROW_BUNDLED)
  set(arrow_overrides "# Debian 12 has no Arrow: the library is that of the pyarrow wheel, which has these built in.
${CPACK_PACKAGE_NAME}: embedded-library")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/debian/lintian-overrides.in ${debian}/${CPACK_PACKAGE_NAME} @ONLY)
install(FILES ${debian}/${CPACK_PACKAGE_NAME} DESTINATION share/lintian/overrides COMPONENT debian EXCLUDE_FROM_ALL)
include(CPack)
