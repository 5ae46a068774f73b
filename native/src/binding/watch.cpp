// Readiness of descriptors for TypeScript: one epoll thread per process, one coalesced wake-up per isolate.
// A descriptor is reported once and armed again after its callback ran, so that a slow isolate is never
// flooded.
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "binding/addon.hpp"
#include "binding/args.hpp"
#include "binding/loop_call.hpp"
#include "sys/fd_poller.hpp"
#include "sys/thread.hpp"

namespace pollwire::binding {

namespace {

enum Ready : std::uint32_t { kReadable = 1, kWritable = 2, kHangup = 4 };

std::uint32_t toPoller(std::uint32_t interest) {
  std::uint32_t events = kFdOneShot;
  if (interest & kReadable) events |= kFdReadable | kFdPeerClosed;
  if (interest & kWritable) events |= kFdWritable;
  return events;
}

std::uint32_t fromPoller(std::uint32_t events) {
  std::uint32_t ready = 0;
  // A closed peer is readable: the reader finds the end of the stream there.
  if (events & (kFdReadable | kFdPeerClosed | kFdHangup | kFdError)) ready |= kReadable;
  if (events & kFdWritable) ready |= kWritable;
  if (events & (kFdHangup | kFdError | kFdPeerClosed)) ready |= kHangup;
  return ready;
}

class Isolate;

// The process's epoll thread. Made with the first watching isolate, ended with the last.
class Poller {
 public:
  static std::shared_ptr<Poller> share() {
    static std::mutex lock;
    static std::weak_ptr<Poller> instance;
    const std::lock_guard<std::mutex> hold(lock);
    auto poller = instance.lock();
    if (!poller) instance = poller = std::make_shared<Poller>();
    return poller;
  }

  Poller() : poller_(FdPoller::create().value()), thread_([this] { run(); }) {}
  ~Poller() {
    stop_.store(true);
    poller_.wake();
    thread_.join();
  }

  Result<std::uint64_t> add(Isolate* owner, int fd, std::uint32_t interest) {
    const std::lock_guard<std::mutex> hold(lock_);
    const std::uint64_t token = ++lastToken_;
    Status status = poller_.add(fd, token, toPoller(interest));
    if (!status.ok()) return status;
    owners_.emplace(token, owner);
    return token;
  }

  Status modify(int fd, std::uint64_t token, std::uint32_t interest) {
    return poller_.modify(fd, token, toPoller(interest));
  }

  void remove(int fd, std::uint64_t token) {
    const std::lock_guard<std::mutex> hold(lock_);
    owners_.erase(token);
    // The descriptor may be closed already; then the kernel has forgotten it by itself.
    (void)poller_.remove(fd);
  }

 private:
  void run();

  FdPoller poller_;
  std::mutex lock_;
  std::map<std::uint64_t, Isolate*> owners_;
  std::uint64_t lastToken_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// What one isolate watches. Lives as its instance data; only its own thread touches `watches_`.
class Isolate {
 public:
  explicit Isolate(Napi::Env env)
      : poller_(Poller::share()),
        wake_(std::make_unique<LoopCall>(env, "pollwire:watch", [this](Napi::Env e) { deliver(e); })) {}
  ~Isolate() {
    for (auto& [id, watch] : watches_) poller_->remove(watch.fd, id);
    wake_.reset();
  }

  std::uint64_t add(Napi::Env env, int fd, std::uint32_t interest, Napi::Function callback) {
    const std::uint64_t id = take(env, poller_->add(this, fd, interest));
    watches_.emplace(id, Watch{fd, interest, true, Napi::Persistent(callback)});
    if (referenced_++ == 0) wake_->keepAlive(env, true);
    return id;
  }

  void modify(Napi::Env env, std::uint64_t id, std::uint32_t interest) {
    const auto found = watches_.find(id);
    if (found == watches_.end()) return;
    found->second.interest = interest;
    check(env, poller_->modify(found->second.fd, id, interest));
  }

  void remove(Napi::Env env, std::uint64_t id) {
    const auto found = watches_.find(id);
    if (found == watches_.end()) return;
    poller_->remove(found->second.fd, id);
    setReferenced(env, found->second, false);
    watches_.erase(found);
  }

  void reference(Napi::Env env, std::uint64_t id, bool on) {
    const auto found = watches_.find(id);
    if (found != watches_.end()) setReferenced(env, found->second, on);
  }

  // From the epoll thread.
  void ready(std::uint64_t id, std::uint32_t events) {
    {
      const std::lock_guard<std::mutex> hold(lock_);
      ready_.emplace_back(id, events);
    }
    wake_->signal();
  }

 private:
  struct Watch {
    int fd;
    std::uint32_t interest;
    bool referenced;
    Napi::FunctionReference callback;
  };

  void setReferenced(Napi::Env env, Watch& watch, bool on) {
    if (watch.referenced == on) return;
    watch.referenced = on;
    referenced_ += on ? 1 : -1;
    if (referenced_ == (on ? 1 : 0)) wake_->keepAlive(env, on);
  }

  void deliver(Napi::Env env) {
    std::vector<std::pair<std::uint64_t, std::uint32_t>> batch;
    {
      const std::lock_guard<std::mutex> hold(lock_);
      batch.swap(ready_);
    }
    for (const auto& [id, events] : batch) {
      // Looked up each time: a callback may have removed any watch.
      auto found = watches_.find(id);
      if (found == watches_.end()) continue;
      try {
        found->second.callback.Value().Call({Napi::Number::New(env, fromPoller(events))});
      } catch (const Napi::Error& error) {
        napi_fatal_exception(env, error.Value());
      }
      found = watches_.find(id);
      if (found != watches_.end()) (void)poller_->modify(found->second.fd, id, found->second.interest);
    }
  }

  std::shared_ptr<Poller> poller_;
  std::map<std::uint64_t, Watch> watches_;
  int referenced_ = 0;
  std::mutex lock_;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> ready_;
  std::unique_ptr<LoopCall> wake_;
};

void Poller::run() {
  (void)nameThisThread("pollwire-watch");
  FdEvent events[FdPoller::kMaxEvents];
  while (!stop_.load()) {
    auto count = poller_.wait(events, -1);
    if (!count) continue;
    const std::lock_guard<std::mutex> hold(lock_);
    for (std::size_t i = 0; i < *count; i++) {
      const auto owner = owners_.find(events[i].token);
      if (owner != owners_.end()) owner->second->ready(owner->first, events[i].events);
    }
  }
}

void keepIsolate(Napi::Env, Isolate*) {}

Isolate& isolateOf(const Napi::CallbackInfo& info) {
  auto* isolate = info.Env().GetInstanceData<Isolate>();
  if (isolate == nullptr) {
    isolate = new Isolate(info.Env());
    info.Env().SetInstanceData<Isolate, keepIsolate>(isolate);
    // Hooks run last in, first out: before the one by which Node closes the wake-up that the isolate still
    // owns.
    info.Env().AddCleanupHook([](Isolate* ending) { delete ending; }, isolate);
  }
  return *isolate;
}

std::uint64_t idOf(const Napi::CallbackInfo& info) {
  return static_cast<std::uint64_t>(info[0].ToNumber().Int64Value());
}

Napi::Value watchAdd(const Napi::CallbackInfo& info) {
  if (!info[2].IsFunction()) badArgument(info, 2, "callback", "a function");
  const std::uint64_t id = isolateOf(info).add(info.Env(), i32(info, 0, "fd"), u32(info, 1, "interest"),
                                               info[2].As<Napi::Function>());
  return Napi::Number::New(info.Env(), static_cast<double>(id));
}

Napi::Value watchModify(const Napi::CallbackInfo& info) {
  isolateOf(info).modify(info.Env(), idOf(info), u32(info, 1, "interest"));
  return info.Env().Undefined();
}

Napi::Value watchRemove(const Napi::CallbackInfo& info) {
  isolateOf(info).remove(info.Env(), idOf(info));
  return info.Env().Undefined();
}

Napi::Value watchRef(const Napi::CallbackInfo& info) {
  isolateOf(info).reference(info.Env(), idOf(info), flag(info, 1, "ref"));
  return info.Env().Undefined();
}

}  // namespace

void addWatch(Napi::Env, Napi::Object exports) {
  add(exports, "watchAdd", watchAdd);
  add(exports, "watchModify", watchModify);
  add(exports, "watchRemove", watchRemove);
  add(exports, "watchRef", watchRef);
}

}  // namespace pollwire::binding
