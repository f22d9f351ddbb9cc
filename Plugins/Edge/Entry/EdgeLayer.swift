import Dispatch
import EdgeCore
import FoundationEssentials
import PluginKit
import Synchronization

/// The edge in its host: settings, the operator's token, the socket, and the server between start and stop.
final class EdgeLayer: Sendable {
  private struct Running: Sendable {
    var server: EdgeServer
    var fetcher: Fetcher
  }

  let host: Host
  private let settings: EdgeSettings
  let tokens: TokenStore
  private let running = Mutex<Running?>(nil)

  init(_ host: Host) throws {
    self.host = host
    settings = try host.settings(as: EdgeSettings.self)
    do throws(EdgeFailure) {
      tokens = try TokenStore(folder: host.storage)
    } catch {
      throw Failure(error)
    }
  }

  func start() throws {
    let token = try OperatorToken.readOrCreate(in: host.storage) { count throws(Failure) in try host.random(count) }
    let descriptor = try host.listeningSocket()
    let server = EdgeServer(
      dispatcher: HostDispatcher(host: host), settings: settings, operatorToken: token, tokens: tokens, log: log)
    let started = wait { () async -> Result<Int, EdgeFailure> in
      do throws(EdgeFailure) {
        return .success(try await server.start(listening: descriptor))
      } catch {
        await server.stop()
        return .failure(error)
      }
    }
    switch started {
    case .success(let port):
      running.withLock { $0 = Running(server: server, fetcher: Fetcher(settings: settings)) }
      host.log.info("serving HTTP", ["port": String(port), "token": "\(host.storage)/\(OperatorToken.fileName)"])
    case .failure(let failure): throw Failure(failure)
    }
  }

  func stop() {
    let stopping = running.withLock { running -> Running? in
      defer { running = nil }
      return running
    }
    guard let stopping else { return }
    // A reload leaves the old generation all the time its streams need; the end of the node does not.
    let isReplaced = isReplaced
    wait {
      await stopping.server.stop(isReplaced ? .handover : .end)
      await stopping.fetcher.stop()
    }
  }

  func fetch(_ call: Call, _ request: JSON) throws -> JSON {
    guard let fetcher = running.withLock({ $0?.fetcher }) else {
      throw Failure(.unavailable, "stopping", "The edge is stopping: ask again.")
    }
    do throws(EdgeFailure) {
      let grants = try grants(of: call)
      return JSON(text: try fetcher.fetch(request.text, grants: grants) { call.isCancelled })
    } catch {
      throw Failure(error)
    }
  }

  /// The hosts that the calling plugin may reach; nil for the operator, whom only the edge's own list binds.
  private func grants(of call: Call) throws(EdgeFailure) -> [String]? {
    guard let caller = call.caller, caller != host.pluginID else { return nil }
    let catalog: Catalog
    do { catalog = try Catalog.decode(try host.catalog().text) } catch {
      throw EdgeFailure(.unavailable, "no_catalog", "The host did not say what `\(caller)` may reach: ask again.")
    }
    return catalog.hostGrants(of: caller)
  }

  /// True when another generation of this layer serves already.
  private var isReplaced: Bool {
    guard let catalog = try? host.catalog(), let known = try? Catalog.decode(catalog.text) else { return false }
    return known.plugins.contains { $0.id == host.pluginID }
  }

  private var log: EdgeLog {
    EdgeLog { [log = host.log] level, message, fields in
      switch level {
      case .debug: log.debug(message, fields)
      case .info: log.info(message, fields)
      case .warning: log.warning(message, fields)
      case .error: log.error(message, fields)
      }
    }
  }
}

/// Runs asynchronous work while this thread, one of the host's, waits for it.
@discardableResult
private func wait<R: Sendable>(_ body: @escaping @Sendable () async -> R) -> R {
  let result = Mutex<R?>(nil)
  let done = DispatchSemaphore(value: 0)
  Task {
    let value = await body()
    result.withLock { $0 = value }
    done.signal()
  }
  done.wait()
  guard let value = result.withLock({ $0 }) else { preconditionFailure("signalled without a result") }
  return value
}
