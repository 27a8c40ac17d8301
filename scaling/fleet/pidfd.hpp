#pragma once

#include <signal.h>
#include <sys/types.h>

// The header of glibc 2.36 does not say that it is C.
extern "C" {
#include <sys/pidfd.h>
}
