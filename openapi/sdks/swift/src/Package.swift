// swift-tools-version:6.0

import PackageDescription

let package = Package(
    name: "CasellaClient",
    platforms: [.iOS(.v13), .macOS(.v10_15), .tvOS(.v13), .watchOS(.v6)],
    products: [.library(name: "CasellaClient", targets: ["CasellaClient"])],
    targets: [.target(name: "CasellaClient")],
    swiftLanguageModes: [.v6]
)
