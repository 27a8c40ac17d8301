# Finds ONNX Runtime: -DONNXRUNTIME_ROOT=… first, then what tools/setup.sh unpacked into .deps/, then the system.
# Defines ONNXRuntime_FOUND and the target ONNXRuntime::onnxruntime.
set(ONNXRUNTIME_ROOT "" CACHE PATH "Root of an ONNX Runtime install (with include/ and lib/)")
set(hints ${ONNXRUNTIME_ROOT} ${CMAKE_SOURCE_DIR}/.deps/onnxruntime)
find_path(ONNXRuntime_INCLUDE_DIR onnxruntime_cxx_api.h HINTS ${hints}
          PATH_SUFFIXES include include/onnxruntime onnxruntime/core/session include/onnxruntime/core/session)
find_library(ONNXRuntime_LIBRARY NAMES onnxruntime libonnxruntime.so.1 HINTS ${hints} PATH_SUFFIXES lib)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(ONNXRuntime REQUIRED_VARS ONNXRuntime_LIBRARY ONNXRuntime_INCLUDE_DIR)
if(ONNXRuntime_FOUND AND NOT TARGET ONNXRuntime::onnxruntime)
  add_library(ONNXRuntime::onnxruntime SHARED IMPORTED)
  set_target_properties(ONNXRuntime::onnxruntime PROPERTIES IMPORTED_LOCATION ${ONNXRuntime_LIBRARY}
                                                            INTERFACE_INCLUDE_DIRECTORIES ${ONNXRuntime_INCLUDE_DIR})
endif()
mark_as_advanced(ONNXRuntime_INCLUDE_DIR ONNXRuntime_LIBRARY)
