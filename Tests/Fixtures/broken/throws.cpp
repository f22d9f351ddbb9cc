/* Lets a C++ exception leave through the border. */
#include <symbolon/symbolon.h>

#include <stdexcept>

#define ASK_FUNCTION ask
static int32_t ask(void *, symbolon_call *, symbolon_slice, symbolon_sink *) {
  throw std::runtime_error("nobody knows");
}
#include "broken.h"
