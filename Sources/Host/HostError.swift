import Glibc
import PluginAPI

/// What goes wrong in the host: a status for control flow, a code for programs, a sentence for people.
package struct HostError: Error, Equatable, CustomStringConvertible {
  package var status: Int32
  package var code: String
  package var message: String

  package init(_ status: Int, _ code: String, _ message: String) {
    self.status = Int32(status)
    self.code = code
    self.message = message
  }

  package var description: String { message }

  /// What an operator gave is wrong.
  package static func invalid(_ code: String, _ message: String) -> HostError {
    HostError(SYMBOLON_INVALID_ARGUMENT, code, message)
  }

  package static func notFound(_ code: String, _ message: String) -> HostError {
    HostError(SYMBOLON_NOT_FOUND, code, message)
  }

  package static func refused(_ code: String, _ message: String) -> HostError {
    HostError(SYMBOLON_FAILED_PRECONDITION, code, message)
  }

  package static func unavailable(_ code: String, _ message: String) -> HostError {
    HostError(SYMBOLON_UNAVAILABLE, code, message)
  }

  package static func system(_ code: String, _ message: String) -> HostError {
    HostError(SYMBOLON_INTERNAL, code, message)
  }
}

/// The text of the last failed system call.
func systemMessage(_ number: Int32 = errno) -> String { String(cString: strerror(number)) }
