import CCalls
import CFFI
import Glibc

/// What the machine offers to a node, whatever its configuration.
enum MachineCheck {
  static func findings() -> [Finding] { [kernel(), confinement(), closures(), files(), clock()] }

  private static func kernel() -> Finding {
    var name = utsname()
    uname(&name)
    let release = withUnsafeBytes(of: &name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    let missing =
      (symbolon_machine_pidfd() == 0 ? ["pidfd"] : []) + (symbolon_machine_memfd() == 0 ? ["memfd"] : [])
    guard missing.isEmpty else {
      return Finding(
        "kernel", .warn, "Linux \(release) without \(missing.joined(separator: " and ")).",
        remedy: "Workers (home = \"worker\") need Linux 5.4 or later; use home = \"host\" or a newer kernel.")
    }
    return Finding("kernel", .ok, "Linux \(release), with pidfd and memfd.")
  }

  private static func confinement() -> Finding {
    let (landlock, seccomp) = (symbolon_machine_landlock(), symbolon_machine_seccomp() != 0)
    let parts = [
      landlock > 0 ? "Landlock revision \(landlock)" : "no Landlock", seccomp ? "seccomp" : "no seccomp",
    ].joined(separator: ", ")
    if landlock >= 4, seccomp { return Finding("confinement", .ok, "\(parts): files, network and system calls.") }
    let lost = [
      landlock == 0 ? "files" : nil, landlock < 4 ? "TCP ports (by Landlock)" : nil, seccomp ? nil : "system calls",
    ].compactMap { $0 }.joined(separator: ", ")
    return Finding(
      "confinement", .warn, "\(parts): workers are not held back in \(lost).",
      remedy:
        "Run Linux 6.7 or later with Landlock among its security modules (lsm=landlock,…) to confine workers fully.")
  }

  private static func closures() -> Finding {
    var code: UnsafeMutableRawPointer?
    guard let memory = ffi_closure_alloc(MemoryLayout<ffi_closure>.size, &code) else {
      return Finding(
        "calls", .fail, "The system gives no executable memory for call closures.",
        remedy: "Allow it for this program (SELinux: execmem), or mount /tmp or /dev/shm without noexec.")
    }
    ffi_closure_free(memory)
    symbolon_ticks_prepare()
    return Finding("calls", .ok, "Call closures can be made.")
  }

  private static func files() -> Finding {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
    let (now, most) = (UInt64(limit.rlim_cur), UInt64(limit.rlim_max))
    let what = "\(now == .max ? "unlimited" : String(now)) open files a process."
    guard now < 4096 else { return Finding("files", .ok, what) }
    let verdict: Finding.Verdict = now < 256 ? .fail : .warn
    return Finding(
      "files", verdict, what,
      remedy:
        "Each connection takes one: `ulimit -n \(min(most, 65536))` before the start, or LimitNOFILE= of the service.")
  }

  /// Certificates, tickets and the ledger's blocks carry times.
  private static func clock() -> Finding {
    // 2025-01-01: no copy of this program is older.
    let earliest: UInt64 = 1_735_689_600_000
    guard MonotonicClock.unixMilliseconds > earliest else {
      return Finding("clock", .fail, "The system's clock lies before 2025.", remedy: "Set it, and run an NTP service.")
    }
    return Finding("clock", .ok, "The system's clock is plausible.")
  }
}
