// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target is held to the same rules: Swift 6 mode, warnings are errors.
let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

/// A plugin is `Core` (all logic, no ABI) and `Entry` (the exported symbol and the method table).
///
/// Only `Entry` knows the contract; only it is linked into the library, and never into a test.
func plugin(_ name: String, core: [Target.Dependency] = []) -> [Target] {
  [
    .target(
      name: "\(name)Core", dependencies: core, path: "Plugins/\(name)/Core", swiftSettings: strict),
    .target(
      name: "\(name)Entry", dependencies: [.target(name: "\(name)Core"), "PluginKit"],
      path: "Plugins/\(name)/Entry", swiftSettings: strict,
      linkerSettings: [
        .unsafeFlags(["-Xlinker", "--version-script=\(Context.packageDirectory)/Sources/PluginKit/plugin.version"])
      ]),
  ]
}

func library(_ name: String) -> Product { .library(name: name, type: .dynamic, targets: ["\(name)Entry"]) }

func tests(
  _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = [], resources: [Resource]? = nil
) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: dependencies, path: "Tests/\(name)", exclude: exclude, resources: resources,
    swiftSettings: strict)
}

let package = Package(
  name: "symbolon",
  products: [
    .executable(name: "symbolon", targets: ["Host"]),
    library("Edge"), library("Ledger"), library("Application"), library("Governance"), library("Data"),
    library("Inference"),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
  ],
  targets: [
    .systemLibrary(
      name: "CFFI", path: "Sources/CFFI", pkgConfig: "libffi", providers: [.apt(["libffi-dev"])]),
    .target(name: "CTemplates", path: "Sources/CTemplates", exclude: ["projects"]),
    .systemLibrary(name: "CProbe", path: "Sources/CProbe"),
    .systemLibrary(
      name: "CSodium", path: "Sources/CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
    .systemLibrary(
      name: "CSeccomp", path: "Sources/CSeccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
    .target(name: "PluginAPI", path: "Sources/PluginAPI"),
    .target(
      name: "CLanes", dependencies: ["CCalls", "PluginAPI"], path: "Sources/CLanes",
      cSettings: [.unsafeFlags(["-O2", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror"])]),
    .target(
      name: "CSandbox", dependencies: ["CSeccomp"], path: "Sources/CSandbox",
      cSettings: [.unsafeFlags(["-O2", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror"])]),
    .target(
      name: "CCalls", path: "Sources/CCalls",
      cSettings: [.unsafeFlags(["-O2", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror"])]),
    .target(name: "Canonical", dependencies: ["CSodium"], path: "Sources/Canonical", swiftSettings: strict),
    .target(
      name: "PluginKit", dependencies: ["PluginAPI", "CFFI"], path: "Sources/PluginKit",
      exclude: ["plugin.version"], swiftSettings: strict),
    .executableTarget(
      name: "Host",
      dependencies: [
        "PluginAPI", "CFFI", "CCalls", "CLanes", "CProbe", "CSandbox", "CSodium", "CTemplates",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "TOMLKit", package: "TOMLKit"),
      ],
      path: "Sources/Host", exclude: ["link.cfg"], swiftSettings: strict,
      // What an import names and nothing uses (all of Foundation and ICU) costs memory and time at every start.
      linkerSettings: [.unsafeFlags(["-Xclang-linker", "--config=\(Context.packageDirectory)/Sources/Host/link.cfg"])]),
    .target(
      name: "InferenceKernels", path: "Plugins/Inference/Kernels",
      cSettings: [.unsafeFlags(["-O3", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror"])]),
    .executableTarget(
      name: "EngineBench", dependencies: ["InferenceCore"], path: "Benchmarks/Engine", swiftSettings: strict),
    .executableTarget(
      name: "LedgerBench", dependencies: ["LedgerCore", "Canonical"], path: "Benchmarks/Ledger", swiftSettings: strict),
    tests("PluginAPI", ["PluginAPI"]),
    tests("Canonical", ["Canonical"]),
    tests("PluginKit", ["PluginKit"]),
    tests("Host", ["Host", "CFFI", "CCalls", "CLanes", "CSandbox"]),
    tests(
      "Edge",
      [
        "EdgeCore",
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
      ]),
    tests(
      "Ledger", ["LedgerCore", "LedgerBench", "Canonical", .product(name: "GRDB", package: "GRDB.swift")]),
    tests("Application", ["ApplicationCore"]),
    tests("Governance", ["GovernanceCore", "Canonical"]),
    tests("Data", ["DataCore", "Canonical"]),
    tests("Inference", ["InferenceCore", "InferenceKernels"], exclude: ["Fixtures"]),
    tests("Integration", []),
    tests("Tidy", []),
  ]
    + plugin(
      "Edge",
      core: [
        "CSodium",
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ])
    + plugin("Ledger", core: ["CSodium", "Canonical", .product(name: "GRDB", package: "GRDB.swift")])
    + plugin("Application", core: ["CSodium", "Canonical"])
    + plugin("Governance", core: ["CSodium", "Canonical"])
    + plugin("Data", core: ["CSodium", "Canonical"])
    + plugin("Inference", core: ["InferenceKernels", "CSodium"]),
  cLanguageStandard: .c11,
  cxxLanguageStandard: .cxx17
)
