#ifndef SYMBOLON_SERVICES_CONFIG_H
#define SYMBOLON_SERVICES_CONFIG_H
/* The plugin's own settings: the table [plugin.<id>.settings] of plugins.conf. */
#include "../host.h"
#include "../sink.h"

#define SYMBOLON_CONFIG "symbolon.config/1"

typedef struct symbolon_config {
  uint32_t struct_size;
  uint32_t reserved;
  /* Writes the settings as one JSON object ({} when there are none). [any] */
  int32_t (*settings)(const symbolon_host *host, symbolon_sink *json);
} symbolon_config;
#endif
