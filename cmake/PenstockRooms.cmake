# Options and flags of the whole house, and the functions that declare its rooms and tests.

option(PENSTOCK_TESTS "Build the tests" ON)
option(PENSTOCK_BENCH "Build the benchmarks" ON)
set(PENSTOCK_SANITIZE "" CACHE STRING "Sanitizers, as given to -fsanitize= (address,undefined or thread)")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

add_library(penstock_flags INTERFACE)
target_compile_options(
  penstock_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
                           -Wold-style-cast -Wcast-align -Woverloaded-virtual -Werror>)
if(PENSTOCK_SANITIZE)
  # With sanitizers GCC 12 sees uninitialised values inside Highway that are not there.
  add_compile_options(-Wno-maybe-uninitialized)
  # CAF 0.17.6 passes the address of a null reference when a spawned function has no argument.
  add_compile_options(-fsanitize=${PENSTOCK_SANITIZE} -fno-omit-frame-pointer -g1)
  if(PENSTOCK_SANITIZE MATCHES undefined)
    add_compile_options(-fno-sanitize=null,vptr -fno-sanitize-recover=undefined)
  endif()
  add_link_options(-fsanitize=${PENSTOCK_SANITIZE})
endif()

# Rooms that pass things on: their tests take no time to run, and long to compile.
set(penstock_rooms_without_loops topology transport jobs actors gateway front cli)

# What is compiled for a room's tests need not be optimised where that would take longer than it saves.
function(penstock_compile_quickly target room)
  if(room IN_LIST penstock_rooms_without_loops)
    target_compile_options(${target} PRIVATE -O0)
  endif()
endfunction()

# penstock_room(NAME [USES target…] [OWNS target…])
#
# Declares the library of the folder that calls it, made of its *.cpp files (and those of its subfolders). USES names
# rooms below and vocabulary libraries, which are part of its interface; OWNS names the third-party library that the room
# hides: it is linked privately, and its headers stay inside.
function(penstock_room name)
  cmake_parse_arguments(ROOM "" "" "USES;OWNS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(NOT sources)
    set(sources ${CMAKE_SOURCE_DIR}/cmake/empty.cpp)
  endif()
  add_library(penstock_${name} STATIC ${sources})
  target_include_directories(penstock_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(penstock_${name} PUBLIC ${ROOM_USES} PRIVATE penstock_flags ${ROOM_OWNS})
  set_target_properties(penstock_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  if(PENSTOCK_SANITIZE)
    penstock_compile_quickly(penstock_${name} ${name})
  endif()
endfunction()

