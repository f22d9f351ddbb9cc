/* The files themselves, read by the compiler: what a project gets is what lies in this repository. */
#include "CTemplates.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const uint8_t file_0[] = {
#embed "../PluginAPI/include/symbolon/abi.h"
};
static const uint8_t file_1[] = {
#embed "../PluginAPI/include/symbolon/call.h"
};
static const uint8_t file_2[] = {
#embed "../PluginAPI/include/symbolon/extensions/offline.h"
};
static const uint8_t file_3[] = {
#embed "../PluginAPI/include/symbolon/extensions/permissions.h"
};
static const uint8_t file_4[] = {
#embed "../PluginAPI/include/symbolon/extensions/routes.h"
};
static const uint8_t file_5[] = {
#embed "../PluginAPI/include/symbolon/extensions/state.h"
};
static const uint8_t file_6[] = {
#embed "../PluginAPI/include/symbolon/host.h"
};
static const uint8_t file_7[] = {
#embed "../PluginAPI/include/symbolon/import.h"
};
static const uint8_t file_8[] = {
#embed "../PluginAPI/include/symbolon/method.h"
};
static const uint8_t file_9[] = {
#embed "../PluginAPI/include/symbolon/plugin.h"
};
static const uint8_t file_10[] = {
#embed "../PluginAPI/include/symbolon/services/catalog.h"
};
static const uint8_t file_11[] = {
#embed "../PluginAPI/include/symbolon/services/clock.h"
};
static const uint8_t file_12[] = {
#embed "../PluginAPI/include/symbolon/services/config.h"
};
static const uint8_t file_13[] = {
#embed "../PluginAPI/include/symbolon/services/events.h"
};
static const uint8_t file_14[] = {
#embed "../PluginAPI/include/symbolon/services/identity.h"
};
static const uint8_t file_15[] = {
#embed "../PluginAPI/include/symbolon/services/invoke.h"
};
static const uint8_t file_16[] = {
#embed "../PluginAPI/include/symbolon/services/log.h"
};
static const uint8_t file_17[] = {
#embed "../PluginAPI/include/symbolon/services/random.h"
};
static const uint8_t file_18[] = {
#embed "../PluginAPI/include/symbolon/services/sockets.h"
};
static const uint8_t file_19[] = {
#embed "../PluginAPI/include/symbolon/services/storage.h"
};
static const uint8_t file_20[] = {
#embed "../PluginAPI/include/symbolon/sink.h"
};
static const uint8_t file_21[] = {
#embed "../PluginAPI/include/symbolon/slice.h"
};
static const uint8_t file_22[] = {
#embed "../PluginAPI/include/symbolon/status.h"
};
static const uint8_t file_23[] = {
#embed "../PluginAPI/include/symbolon/symbolon.h"
};
static const uint8_t file_24[] = {
#embed "projects/c/Makefile"
};
static const uint8_t file_25[] = {
#embed "projects/c/README.md"
};
static const uint8_t file_26[] = {
#embed "projects/c/sample.c"
};
static const uint8_t file_27[] = {
#embed "projects/c/sample_test.c"
};
static const uint8_t file_28[] = {
#embed "projects/swift/Makefile"
};
static const uint8_t file_29[] = {
#embed "projects/swift/Package.swift"
};
static const uint8_t file_30[] = {
#embed "projects/swift/README.md"
};
static const uint8_t file_31[] = {
#embed "projects/swift/Sources/CSymbolon/contract.c"
};
static const uint8_t file_32[] = {
#embed "projects/swift/Sources/Sample/Border.swift"
};
static const uint8_t file_33[] = {
#embed "projects/swift/Sources/Sample/Greeting.swift"
};
static const uint8_t file_34[] = {
#embed "projects/swift/Sources/Sample/Plugin.swift"
};
static const uint8_t file_35[] = {
#embed "projects/swift/plugin.version"
};
static const uint8_t file_36[] = {
#embed "projects/rust/Cargo.lock"
};
static const uint8_t file_37[] = {
#embed "projects/rust/Cargo.toml"
};
static const uint8_t file_38[] = {
#embed "projects/rust/Makefile"
};
static const uint8_t file_39[] = {
#embed "projects/rust/README.md"
};
static const uint8_t file_40[] = {
#embed "projects/rust/src/abi.rs"
};
static const uint8_t file_41[] = {
#embed "projects/rust/src/lib.rs"
};

#define FILE(project, path, name) {project, path, name, sizeof name}
static const symbolon_template templates[] = {
    FILE("headers", "symbolon/abi.h", file_0),
    FILE("headers", "symbolon/call.h", file_1),
    FILE("headers", "symbolon/extensions/offline.h", file_2),
    FILE("headers", "symbolon/extensions/permissions.h", file_3),
    FILE("headers", "symbolon/extensions/routes.h", file_4),
    FILE("headers", "symbolon/extensions/state.h", file_5),
    FILE("headers", "symbolon/host.h", file_6),
    FILE("headers", "symbolon/import.h", file_7),
    FILE("headers", "symbolon/method.h", file_8),
    FILE("headers", "symbolon/plugin.h", file_9),
    FILE("headers", "symbolon/services/catalog.h", file_10),
    FILE("headers", "symbolon/services/clock.h", file_11),
    FILE("headers", "symbolon/services/config.h", file_12),
    FILE("headers", "symbolon/services/events.h", file_13),
    FILE("headers", "symbolon/services/identity.h", file_14),
    FILE("headers", "symbolon/services/invoke.h", file_15),
    FILE("headers", "symbolon/services/log.h", file_16),
    FILE("headers", "symbolon/services/random.h", file_17),
    FILE("headers", "symbolon/services/sockets.h", file_18),
    FILE("headers", "symbolon/services/storage.h", file_19),
    FILE("headers", "symbolon/sink.h", file_20),
    FILE("headers", "symbolon/slice.h", file_21),
    FILE("headers", "symbolon/status.h", file_22),
    FILE("headers", "symbolon/symbolon.h", file_23),
    FILE("c", "Makefile", file_24),
    FILE("c", "README.md", file_25),
    FILE("c", "sample.c", file_26),
    FILE("c", "sample_test.c", file_27),
    FILE("swift", "Makefile", file_28),
    FILE("swift", "Package.swift", file_29),
    FILE("swift", "README.md", file_30),
    FILE("swift", "Sources/CSymbolon/contract.c", file_31),
    FILE("swift", "Sources/Sample/Border.swift", file_32),
    FILE("swift", "Sources/Sample/Greeting.swift", file_33),
    FILE("swift", "Sources/Sample/Plugin.swift", file_34),
    FILE("swift", "plugin.version", file_35),
    FILE("rust", "Cargo.lock", file_36),
    FILE("rust", "Cargo.toml", file_37),
    FILE("rust", "Makefile", file_38),
    FILE("rust", "README.md", file_39),
    FILE("rust", "src/abi.rs", file_40),
    FILE("rust", "src/lib.rs", file_41),
    {0, 0, 0, 0},
};

const symbolon_template *symbolon_first_template(void) { return templates; }
