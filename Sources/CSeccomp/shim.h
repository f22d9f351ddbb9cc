#ifndef SYMBOLON_CSECCOMP_SHIM_H
#define SYMBOLON_CSECCOMP_SHIM_H
#include <seccomp.h>
#endif
