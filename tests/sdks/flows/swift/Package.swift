// swift-tools-version:6.0

import PackageDescription

let package = Package(
    name: "Programs",
    dependencies: [.package(path: "../CasellaClient")],
    targets: [.executableTarget(name: "Programs", dependencies: ["CasellaClient"])],
    swiftLanguageModes: [.v6]
)
