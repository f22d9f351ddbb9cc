#include "symbolon/symbolon.h"
