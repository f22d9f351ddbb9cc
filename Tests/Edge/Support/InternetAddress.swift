import Glibc

/// `struct sockaddr_in`, which Glibc and NIO's own module both claim where both are imported.
struct InternetAddress {
  private var family = UInt16(AF_INET)
  /// In network byte order, like the address.
  private(set) var port: UInt16
  private var ip: UInt32
  private var padding: UInt64 = 0

  /// - Parameters:
  ///   - ip: 127.0.0.1 by default.
  ///   - port: 0: any.
  init(ip: UInt32 = 0x7F00_0001, port: UInt16 = 0) {
    self.ip = ip.bigEndian
    self.port = port.bigEndian
  }

  /// The address as the system's calls take it.
  func withPointer<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
    withUnsafePointer(to: self) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<Self>.size)) }
    }
  }
}
