/* The contract is headers; a target wants a source. */
#include "symbolon/symbolon.h"
