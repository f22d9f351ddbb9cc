/* Pins the layout of every struct that crosses the border (LP64): a change here is a change of the contract. */
#include "symbolon/symbolon.h"

#ifdef __cplusplus
#define ASSERT_LAYOUT static_assert
#else
#define ASSERT_LAYOUT _Static_assert
#endif
#define SIZE(type, bytes) ASSERT_LAYOUT(sizeof(type) == (bytes), #type " has another size")
#define AT(type, field, bytes) ASSERT_LAYOUT(offsetof(type, field) == (bytes), #type "." #field " has moved")

SIZE(symbolon_slice, 16);
AT(symbolon_slice, size, 8);
SIZE(symbolon_sink, 24);
AT(symbolon_sink, context, 8);
AT(symbolon_sink, write, 16);
SIZE(symbolon_error, 8 + SYMBOLON_ERROR_CODE_MAX + SYMBOLON_ERROR_MESSAGE_MAX);
AT(symbolon_error, code, 8);
AT(symbolon_error, message, 72);
SIZE(symbolon_call, 88);
AT(symbolon_call, caller, 8);
AT(symbolon_call, sender, 16);
AT(symbolon_call, transaction, 24);
AT(symbolon_call, deadline_ns, 32);
AT(symbolon_call, trace_id, 40);
AT(symbolon_call, error, 56);
AT(symbolon_call, cancelled, 64);
AT(symbolon_call, context, 72);
AT(symbolon_call, parent, 80);
SIZE(symbolon_method, 48);
AT(symbolon_method, signature, 8);
AT(symbolon_method, summary, 16);
AT(symbolon_method, function, 24);
AT(symbolon_method, defaults, 32);
AT(symbolon_method, command, 40);
SIZE(symbolon_import, 32);
AT(symbolon_import, plugin, 8);
AT(symbolon_import, signature, 16);
AT(symbolon_import, slot, 24);
SIZE(symbolon_host, 40);
AT(symbolon_host, version, 8);
AT(symbolon_host, plugin_id, 16);
AT(symbolon_host, context, 24);
AT(symbolon_host, service, 32);
SIZE(symbolon_plugin, 104);
AT(symbolon_plugin, id, 16);
AT(symbolon_plugin, methods, 40);
AT(symbolon_plugin, method_count, 56);
AT(symbolon_plugin, create, 64);
AT(symbolon_plugin, extension, 96);
SIZE(symbolon_log, 16);
SIZE(symbolon_config, 16);
SIZE(symbolon_storage, 16);
SIZE(symbolon_clock, 24);
SIZE(symbolon_random, 16);
SIZE(symbolon_events, 24);
SIZE(symbolon_identity, 24);
SIZE(symbolon_catalog, 24);
SIZE(symbolon_invocation, 64);
AT(symbolon_invocation, method, 8);
AT(symbolon_invocation, arguments, 24);
AT(symbolon_invocation, origin, 40);
AT(symbolon_invocation, sender, 48);
AT(symbolon_invocation, transaction, 56);
SIZE(symbolon_invoke, 24);
SIZE(symbolon_sockets, 16);
SIZE(symbolon_route, 32);
SIZE(symbolon_routes, 16);
SIZE(symbolon_state, 56);
AT(symbolon_state, schema_version, 4);
AT(symbolon_state, schema_id, 8);
AT(symbolon_state, imports, 16);
AT(symbolon_state, exports, 24);
AT(symbolon_state, import_count, 32);
AT(symbolon_state, export_count, 36);
AT(symbolon_state, export_state, 40);
AT(symbolon_state, import_state, 48);
SIZE(symbolon_permissions, 16);
AT(symbolon_permissions, count, 4);
AT(symbolon_permissions, permissions, 8);
