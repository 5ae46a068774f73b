// Sockets and descriptors for TypeScript.
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>

#include "binding/addon.hpp"
#include "binding/args.hpp"
#include "sys/eventfd.hpp"
#include "sys/mapping.hpp"
#include "sys/unix_socket.hpp"

namespace pollwire::binding {

namespace {

Napi::Value fdValue(const Napi::CallbackInfo& info, Result<Fd>&& result) {
  return Napi::Number::New(info.Env(), take(info.Env(), std::move(result)).release());
}

Napi::Value listenUnix(const Napi::CallbackInfo& info) {
  return fdValue(info, unixListen(text(info, 0, "path"), i32(info, 1, "backlog")));
}

Napi::Value connectUnix(const Napi::CallbackInfo& info) {
  return fdValue(info, unixConnect(text(info, 0, "path")));
}

Napi::Value acceptUnix(const Napi::CallbackInfo& info) {
  auto accepted = unixAccept(i32(info, 0, "fd"));
  if (!accepted && accepted.status().code() == StatusCode::kAgain) return Napi::Number::New(info.Env(), -1);
  return fdValue(info, std::move(accepted));
}

Napi::Value socketPair(const Napi::CallbackInfo& info) {
  auto pair = take(info.Env(), unixSocketPair());
  Napi::Array out = Napi::Array::New(info.Env(), 2);
  out.Set(0u, pair[0].release());
  out.Set(1u, pair[1].release());
  return out;
}

// The part of a Uint8Array that `offset` and `length` name, cut to its end.
std::span<std::uint8_t> window(const Napi::CallbackInfo& info) {
  Napi::Uint8Array array = bytes(info, 1, "buffer");
  const std::uint32_t offset = u32(info, 2, "offset");
  const std::uint32_t length = u32(info, 3, "length");
  if (offset > array.ByteLength() || length > array.ByteLength() - offset) {
    raise(info.Env(), Status(StatusCode::kOutOfRange, "offset " + std::to_string(offset) + " and length " +
                                                          std::to_string(length) + " leave the buffer"));
  }
  return {array.Data() + offset, length};
}

Napi::Value socketReceive(const Napi::CallbackInfo& info) {
  FdBatch fds;
  const IoResult result = take(info.Env(), unixReceive(i32(info, 0, "fd"), window(info), fds));
  Napi::Array list = info[4].As<Napi::Array>();
  for (std::size_t i = 0; i < fds.size(); i++)
    list.Set(list.Length(), Napi::Number::New(info.Env(), fds.take(i).release()));
  switch (result.outcome) {
    case IoOutcome::kDone:
      return Napi::Number::New(info.Env(), static_cast<double>(result.bytes));
    case IoOutcome::kClosed:
      return Napi::Number::New(info.Env(), 0);
    case IoOutcome::kWouldBlock:
      break;
  }
  return Napi::Number::New(info.Env(), -1);
}

Napi::Value socketSend(const Napi::CallbackInfo& info) {
  const Napi::Array list = info[4].As<Napi::Array>();
  std::vector<int> fds;
  for (std::uint32_t i = 0; i < list.Length(); i++) fds.push_back(list.Get(i).ToNumber().Int32Value());
  const IoResult result = take(info.Env(), unixSend(i32(info, 0, "fd"), window(info), fds));
  if (result.outcome == IoOutcome::kClosed)
    raise(info.Env(), Status(StatusCode::kPeerClosed, "the peer closed the connection"));
  return Napi::Number::New(info.Env(),
                           result.outcome == IoOutcome::kDone ? static_cast<double>(result.bytes) : -1);
}

Napi::Value socketShutdown(const Napi::CallbackInfo& info) {
  (void)::shutdown(i32(info, 0, "fd"), SHUT_RDWR);
  return info.Env().Undefined();
}

Napi::Value closeFd(const Napi::CallbackInfo& info) {
  const Fd closing(i32(info, 0, "fd"));
  return info.Env().Undefined();
}

const char* kindOf(const struct stat& facts, bool eventFd) {
  if (eventFd) return "eventfd";
  if (S_ISSOCK(facts.st_mode)) return "socket";
  if (S_ISREG(facts.st_mode)) return "file";
  if (S_ISDIR(facts.st_mode)) return "directory";
  if (S_ISFIFO(facts.st_mode)) return "pipe";
  if (S_ISCHR(facts.st_mode) || S_ISBLK(facts.st_mode)) return "device";
  return "other";
}

Napi::Value describeFd(const Napi::CallbackInfo& info) {
  const int fd = i32(info, 0, "fd");
  struct stat facts {};
  if (::fstat(fd, &facts) != 0)
    raise(info.Env(), Status::system(errno, "fstat descriptor " + std::to_string(fd)));
  // Anonymous inodes have no file type; an eventfd is told by what its link says.
  const bool eventFd = (facts.st_mode & S_IFMT) == 0 && adoptEventFd(fd).ok();
  const int flags = ::fcntl(fd, F_GETFL);
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("kind", kindOf(facts, eventFd));
  out.Set("size", static_cast<double>(facts.st_size));
  out.Set("writable", (flags & O_ACCMODE) != O_RDONLY);
  return out;
}

Napi::Value memfdCreate(const Napi::CallbackInfo& info) {
  const std::string name = text(info, 0, "name");
  MemoryFileOptions options;
  options.name = name;
  options.size = static_cast<std::uint64_t>(info[1].ToNumber().DoubleValue());
  options.hugePages = HugePages::kNever;
  options.seal = false;
  MemoryFile file = take(info.Env(), createMemoryFile(options));
  return Napi::Number::New(info.Env(), file.fd.release());
}

Napi::Value mapFile(const Napi::CallbackInfo& info) {
  const auto length = static_cast<std::uint64_t>(info[1].ToNumber().DoubleValue());
  auto* mapping = new Mapping(take(info.Env(), Mapping::mapFile(i32(info, 0, "fd"), 0, length)));
  return Napi::ArrayBuffer::New(
      info.Env(), mapping->data(), mapping->size(), [](Napi::Env, void*, Mapping* owned) { delete owned; },
      mapping);
}

Napi::Value eventfdCreate(const Napi::CallbackInfo& info) { return fdValue(info, createEventFd()); }

Napi::Value eventfdSignal(const Napi::CallbackInfo& info) {
  (void)signalEventFd(i32(info, 0, "fd"));
  return info.Env().Undefined();
}

Napi::Value eventfdRead(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(drainEventFd(i32(info, 0, "fd"))));
}

}  // namespace

void addSys(Napi::Env, Napi::Object exports) {
  add(exports, "listenUnix", listenUnix);
  add(exports, "connectUnix", connectUnix);
  add(exports, "acceptUnix", acceptUnix);
  add(exports, "socketPair", socketPair);
  add(exports, "socketReceive", socketReceive);
  add(exports, "socketSend", socketSend);
  add(exports, "socketShutdown", socketShutdown);
  add(exports, "closeFd", closeFd);
  add(exports, "describeFd", describeFd);
  add(exports, "memfdCreate", memfdCreate);
  add(exports, "mapFile", mapFile);
  add(exports, "eventfdCreate", eventfdCreate);
  add(exports, "eventfdSignal", eventfdSignal);
  add(exports, "eventfdRead", eventfdRead);
}

}  // namespace pollwire::binding
