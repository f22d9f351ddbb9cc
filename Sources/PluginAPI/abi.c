/* Pins the layout of every struct that crosses the border, field by field (LP64). A number that changes here is a
   change of the contract: new lines may come at the end of a struct, and its size may grow with them. */
#include "symbolon/symbolon.h"

#ifdef __cplusplus
#define ASSERT_LAYOUT static_assert
#else
#define ASSERT_LAYOUT _Static_assert
#endif
#define SIZE(type, bytes) ASSERT_LAYOUT(sizeof(type) == (bytes), #type " has another size")
#define AT(type, field, bytes) ASSERT_LAYOUT(offsetof(type, field) == (bytes), #type "." #field " has moved")

SIZE(symbolon_slice, 16);
AT(symbolon_slice, data, 0);
AT(symbolon_slice, size, 8);

SIZE(symbolon_sink, 24);
AT(symbolon_sink, struct_size, 0);
AT(symbolon_sink, reserved, 4);
AT(symbolon_sink, context, 8);
AT(symbolon_sink, write, 16);

SIZE(symbolon_error, 1096);
AT(symbolon_error, struct_size, 0);
AT(symbolon_error, status, 4);
AT(symbolon_error, code, 8);
AT(symbolon_error, message, 72);

SIZE(symbolon_call, 88);
AT(symbolon_call, struct_size, 0);
AT(symbolon_call, origin, 4);
AT(symbolon_call, caller, 8);
AT(symbolon_call, sender, 16);
AT(symbolon_call, transaction, 24);
AT(symbolon_call, deadline_ns, 32);
AT(symbolon_call, trace_id, 40);
AT(symbolon_call, error, 56);
AT(symbolon_call, cancelled, 64);
AT(symbolon_call, context, 72);
AT(symbolon_call, parent, 80);

SIZE(symbolon_method, 56);
AT(symbolon_method, struct_size, 0);
AT(symbolon_method, flags, 4);
AT(symbolon_method, signature, 8);
AT(symbolon_method, summary, 16);
AT(symbolon_method, function, 24);
AT(symbolon_method, defaults, 32);
AT(symbolon_method, command, 40);
AT(symbolon_method, deadline_ms, 48);
AT(symbolon_method, reserved, 52);

SIZE(symbolon_import, 32);
AT(symbolon_import, struct_size, 0);
AT(symbolon_import, flags, 4);
AT(symbolon_import, plugin, 8);
AT(symbolon_import, signature, 16);
AT(symbolon_import, slot, 24);

SIZE(symbolon_host, 40);
AT(symbolon_host, struct_size, 0);
AT(symbolon_host, abi, 4);
AT(symbolon_host, version, 8);
AT(symbolon_host, plugin_id, 16);
AT(symbolon_host, context, 24);
AT(symbolon_host, service, 32);

SIZE(symbolon_plugin, 104);
AT(symbolon_plugin, struct_size, 0);
AT(symbolon_plugin, abi, 4);
AT(symbolon_plugin, flags, 8);
AT(symbolon_plugin, reserved, 12);
AT(symbolon_plugin, id, 16);
AT(symbolon_plugin, version, 24);
AT(symbolon_plugin, summary, 32);
AT(symbolon_plugin, methods, 40);
AT(symbolon_plugin, imports, 48);
AT(symbolon_plugin, method_count, 56);
AT(symbolon_plugin, import_count, 60);
AT(symbolon_plugin, create, 64);
AT(symbolon_plugin, start, 72);
AT(symbolon_plugin, stop, 80);
AT(symbolon_plugin, destroy, 88);
AT(symbolon_plugin, extension, 96);

SIZE(symbolon_catalog, 24);
AT(symbolon_catalog, struct_size, 0);
AT(symbolon_catalog, reserved, 4);
AT(symbolon_catalog, revision, 8);
AT(symbolon_catalog, json, 16);

SIZE(symbolon_clock, 24);
AT(symbolon_clock, struct_size, 0);
AT(symbolon_clock, reserved, 4);
AT(symbolon_clock, unix_ms, 8);
AT(symbolon_clock, monotonic_ns, 16);

SIZE(symbolon_config, 16);
AT(symbolon_config, struct_size, 0);
AT(symbolon_config, reserved, 4);
AT(symbolon_config, settings, 8);

SIZE(symbolon_events, 24);
AT(symbolon_events, struct_size, 0);
AT(symbolon_events, reserved, 4);
AT(symbolon_events, publish, 8);
AT(symbolon_events, subscribe, 16);

SIZE(symbolon_identity, 24);
AT(symbolon_identity, struct_size, 0);
AT(symbolon_identity, reserved, 4);
AT(symbolon_identity, public_key, 8);
AT(symbolon_identity, sign, 16);

SIZE(symbolon_invocation, 64);
AT(symbolon_invocation, struct_size, 0);
AT(symbolon_invocation, encoding, 4);
AT(symbolon_invocation, method, 8);
AT(symbolon_invocation, arguments, 24);
AT(symbolon_invocation, origin, 40);
AT(symbolon_invocation, allow_transition, 44);
AT(symbolon_invocation, sender, 48);
AT(symbolon_invocation, transaction, 56);

SIZE(symbolon_invoke, 24);
AT(symbolon_invoke, struct_size, 0);
AT(symbolon_invoke, reserved, 4);
AT(symbolon_invoke, invoke, 8);
AT(symbolon_invoke, encode, 16);

SIZE(symbolon_log, 16);
AT(symbolon_log, struct_size, 0);
AT(symbolon_log, reserved, 4);
AT(symbolon_log, write, 8);

SIZE(symbolon_random, 16);
AT(symbolon_random, struct_size, 0);
AT(symbolon_random, reserved, 4);
AT(symbolon_random, fill, 8);

SIZE(symbolon_sockets, 16);
AT(symbolon_sockets, struct_size, 0);
AT(symbolon_sockets, reserved, 4);
AT(symbolon_sockets, listening, 8);

SIZE(symbolon_storage, 16);
AT(symbolon_storage, struct_size, 0);
AT(symbolon_storage, reserved, 4);
AT(symbolon_storage, folder, 8);

SIZE(symbolon_offline_member, 32);
AT(symbolon_offline_member, struct_size, 0);
AT(symbolon_offline_member, flags, 4);
AT(symbolon_offline_member, name, 8);
AT(symbolon_offline_member, type, 16);
AT(symbolon_offline_member, summary, 24);

SIZE(symbolon_offline_method, 24);
AT(symbolon_offline_method, struct_size, 0);
AT(symbolon_offline_method, member_count, 4);
AT(symbolon_offline_method, method, 8);
AT(symbolon_offline_method, members, 16);

SIZE(symbolon_offline, 16);
AT(symbolon_offline, struct_size, 0);
AT(symbolon_offline, count, 4);
AT(symbolon_offline, methods, 8);

SIZE(symbolon_permissions, 16);
AT(symbolon_permissions, struct_size, 0);
AT(symbolon_permissions, count, 4);
AT(symbolon_permissions, permissions, 8);

SIZE(symbolon_route, 32);
AT(symbolon_route, struct_size, 0);
AT(symbolon_route, reserved, 4);
AT(symbolon_route, verb, 8);
AT(symbolon_route, path, 16);
AT(symbolon_route, method, 24);

SIZE(symbolon_routes, 16);
AT(symbolon_routes, struct_size, 0);
AT(symbolon_routes, count, 4);
AT(symbolon_routes, routes, 8);

SIZE(symbolon_state, 56);
AT(symbolon_state, struct_size, 0);
AT(symbolon_state, schema_version, 4);
AT(symbolon_state, schema_id, 8);
AT(symbolon_state, imports, 16);
AT(symbolon_state, exports, 24);
AT(symbolon_state, import_count, 32);
AT(symbolon_state, export_count, 36);
AT(symbolon_state, export_state, 40);
AT(symbolon_state, import_state, 48);
