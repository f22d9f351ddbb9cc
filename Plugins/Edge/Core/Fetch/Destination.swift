import Glibc
import NIOCore

/// Where a host name leads, found out before anything is sent there.
enum Destination {
  /// The addresses of a name; blocks.
  static func addresses(of host: String, port: Int) throws(EdgeFailure) -> [SocketAddress] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV
    var found: UnsafeMutablePointer<addrinfo>?
    let bare = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
    guard getaddrinfo(bare, String(port), &hints, &found) == 0 else {
      throw EdgeFailure(
        .unavailable, "fetch_failed", "The name \(host) has no address: is it right, does DNS work here?")
    }
    defer { freeaddrinfo(found) }
    var addresses: [SocketAddress] = []
    var next = found
    while let info = next?.pointee {
      if let address = info.ai_addr.flatMap({ address(at: $0) }) { addresses.append(address) }
      next = info.ai_next
    }
    guard !addresses.isEmpty else {
      throw EdgeFailure(.unavailable, "fetch_failed", "The name \(host) has no address that this node can reach.")
    }
    return addresses
  }

  /// True for this machine, private networks and everything else that is not one host of the public internet.
  static func isPrivate(_ address: SocketAddress) -> Bool {
    guard let text = address.ipAddress else { return true }
    var v4 = [UInt8](repeating: 0, count: 4)
    if inet_pton(AF_INET, text, &v4) == 1 { return isPrivate(v4: v4) }
    var v6 = [UInt8](repeating: 0, count: 16)
    return inet_pton(AF_INET6, text, &v6) == 1 ? isPrivate(v6: v6) : true
  }

  /// The special-purpose blocks of RFC 6890.
  private static func isPrivate(v4 byte: [UInt8]) -> Bool {
    switch (byte[0], byte[1]) {
    case (0, _), (10, _), (127, _), (169, 254), (172, 16...31), (192, 168), (100, 64...127), (198, 18...19),
      (224...255, _):
      true
    case (192, 0): byte[2] == 0 || byte[2] == 2
    default: false
    }
  }

  private static func isPrivate(v6 byte: [UInt8]) -> Bool {
    let isMapped = byte[..<10].allSatisfy { $0 == 0 } && byte[10] == 0xFF && byte[11] == 0xFF
    let isTranslated = Array(byte[..<12]) == [0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0]
    if isMapped || isTranslated { return isPrivate(v4: Array(byte[12...])) }
    if byte[0] == 0x20, byte[1] == 0x02 { return isPrivate(v4: Array(byte[2..<6])) }
    // Unspecified, loopback and the old compatible form; unique local, link local, multicast.
    return byte[..<12].allSatisfy { $0 == 0 } || byte[0] & 0xFE == 0xFC || (byte[0] == 0xFE && byte[1] & 0x80 == 0x80)
      || byte[0] == 0xFF
  }

  private static func address(at pointer: UnsafeMutablePointer<sockaddr>) -> SocketAddress? {
    switch Int32(pointer.pointee.sa_family) {
    case AF_INET: pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { SocketAddress($0.pointee, host: "") }
    case AF_INET6: pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { SocketAddress($0.pointee, host: "") }
    default: nil
    }
  }
}
