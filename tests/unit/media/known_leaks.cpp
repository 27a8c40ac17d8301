/// libx265 never frees its copies of the parameters it was given.
extern "C" const char* __lsan_default_suppressions() { return "leak:libx265.so"; }
