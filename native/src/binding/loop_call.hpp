// A coalesced wake-up of one isolate's event loop: many signals, one call. The only user of thread-safe
// functions.
#pragma once

#include <napi.h>

#include <atomic>
#include <functional>

namespace pollwire::binding {

class LoopCall {
 public:
  // `run` is called on the isolate's thread after signal(); it may throw Napi::Error.
  LoopCall(Napi::Env env, const char* name, std::function<void(Napi::Env)> run) : run_(std::move(run)) {
    napi_value resource;
    napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &resource);
    napi_create_threadsafe_function(env, nullptr, nullptr, resource, 0, 1, nullptr, nullptr, this, call,
                                    &function_);
    // Nothing of ours keeps a program alive unless it asks for it.
    napi_unref_threadsafe_function(env, function_);
  }
  ~LoopCall() { napi_release_threadsafe_function(function_, napi_tsfn_abort); }
  LoopCall(const LoopCall&) = delete;
  LoopCall& operator=(const LoopCall&) = delete;

  // Any thread.
  void signal() noexcept {
    if (!pending_.exchange(true))
      (void)napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking);
  }

  void keepAlive(Napi::Env env, bool on) {
    if (on) napi_ref_threadsafe_function(env, function_);
    else napi_unref_threadsafe_function(env, function_);
  }

 private:
  static void call(napi_env env, napi_value, void* context, void*) {
    if (env == nullptr) return;
    auto* self = static_cast<LoopCall*>(context);
    self->pending_.store(false);
    const Napi::HandleScope scope(env);
    try {
      self->run_(Napi::Env(env));
    } catch (const Napi::Error& error) {
      // As an exception in any other event callback: 'uncaughtException'.
      napi_fatal_exception(env, error.Value());
    }
  }

  std::function<void(Napi::Env)> run_;
  napi_threadsafe_function function_ = nullptr;
  std::atomic<bool> pending_{false};
};

}  // namespace pollwire::binding
