// Programs NAME ARGUMENTS... runs one of the programs of openapi/sdks/STEPS.md.
let arguments = Array(CommandLine.arguments.dropFirst(2))
switch CommandLine.arguments[1] {
case "flow": try await flow(arguments[0], arguments[1], arguments[2])
case "follow": try await follow(arguments[0], arguments[1])
case "wake": try await wake(arguments)
case "steady": try await steady(arguments[0])
default: fatalError("no such program")
}
