/* The parts of a call that Swift cannot say, or not cheaply: a direct native call, a clock, the thread's trace id, the kernel. */
#ifndef SYMBOLON_CCALLS_H
#define SYMBOLON_CCALLS_H
#include "clock.h"
#include "direct.h"
#include "machine.h"
#include "running.h"
#include "trace.h"
#endif
