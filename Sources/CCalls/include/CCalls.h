/* The parts of a call that Swift cannot say, or not cheaply: a direct native call, a clock and the thread's trace id. */
#ifndef SYMBOLON_CCALLS_H
#define SYMBOLON_CCALLS_H
#include "clock.h"
#include "direct.h"
#include "trace.h"
#endif
