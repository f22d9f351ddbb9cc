// swift-tools-version: 6.0
import PackageDescription

let package = Package(
  name: "sample",
  products: [.library(name: "Sample", type: .dynamic, targets: ["Sample"])],
  targets: [
    // The contract: C headers and nothing else.
    .target(name: "CSymbolon"),
    .target(
      name: "Sample", dependencies: ["CSymbolon"],
      // A plugin exports its entry and nothing else.
      linkerSettings: [
        .unsafeFlags(
          ["-Xlinker", "--version-script=\(Context.packageDirectory)/plugin.version"], .when(platforms: [.linux]))
      ]),
  ],
  cLanguageStandard: .c11
)
