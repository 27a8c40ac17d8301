# Writes text files into a C++ source: cmake -DFOLDER=… -DNAMES="a;b" -DOUTPUT=… -P embed.cmake
set(source "#include \"gateway/console/files.hpp\"\n\nnamespace penstock::gateway::console {\n\n")
foreach(name ${NAMES})
  file(READ ${FOLDER}/${name} content)
  string(MAKE_C_IDENTIFIER ${name} identifier)
  string(APPEND source "const std::string_view ${identifier} = R\"embedded(${content})embedded\";\n\n")
endforeach()
string(APPEND source "} // namespace penstock::gateway::console\n")
file(WRITE ${OUTPUT} "${source}")
