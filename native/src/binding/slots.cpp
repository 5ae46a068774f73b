// Burst slots for TypeScript: the data path's only crossing.
#include "binding/addon.hpp"
#include "binding/args.hpp"
#include "binding/fast_args.hpp"
#include "binding/fast_call.hpp"
#include "ethdev/slot_table.hpp"
#include "mbuf/mbuf_ops.hpp"
#include "offload/ether_edit.hpp"

namespace pollwire::binding {

namespace {

std::uint32_t burst(std::uint32_t id, std::uint32_t word, std::uint32_t count) noexcept {
  BurstSlot* slot = slots::byId(id);
  Handle* handles = burstAt(word, count);
  if (PW_UNLIKELY(slot == nullptr || handles == nullptr || count == 0)) return 0;
  return slot->run(handles, count);
}

// What `edit` is as a number: 0 swaps the Ethernet addresses of each packet, any other is the arena word of
// the twelve bytes to write there.
PW_INLINE void runEdit(std::uint32_t edit, const Handle* handles, std::uint32_t count) noexcept {
  if (edit == 0) {
    offload::swapAddresses(handles, count);
    return;
  }
  constexpr std::uint32_t kWords = offload::kEtherAddresses / 4;
  if (PW_UNLIKELY((static_cast<std::uint64_t>(edit) + kWords) * 4 > arenaBytes())) return;
  const std::byte* const from = arenaBase() + static_cast<std::uint64_t>(edit) * 4;
  offload::setAddresses(handles, count, offload::EtherAddresses::load(from));
}

template <typename Between>
PW_INLINE std::uint32_t forward(std::uint32_t rxId, std::uint32_t txId, std::uint32_t word,
                                std::uint32_t count, Between&& between) noexcept {
  BurstSlot* rx = slots::byId(rxId);
  BurstSlot* tx = slots::byId(txId);
  Handle* handles = burstAt(word, count);
  if (PW_UNLIKELY(rx == nullptr || tx == nullptr || handles == nullptr || count == 0)) return 0;
  const std::uint32_t received = rx->run(handles, count);
  if (received == 0) return 0;
  between(handles, received);
  const std::uint32_t sent = tx->run(handles, received);
  if (PW_UNLIKELY(sent < received)) freeBurst(handles + sent, received - sent);
  return received | (sent << 16);
}

std::uint32_t forwardBurst(std::uint32_t rxId, std::uint32_t txId, std::uint32_t word,
                           std::uint32_t count) noexcept {
  return forward(rxId, txId, word, count, [](const Handle*, std::uint32_t) noexcept {});
}

std::uint32_t forwardEdited(std::uint32_t rxId, std::uint32_t txId, std::uint32_t word, std::uint32_t count,
                            std::uint32_t edit) noexcept {
  return forward(rxId, txId, word, count, [edit](const Handle* handles, std::uint32_t received) noexcept {
    runEdit(edit, handles, received);
  });
}

void editBurst(std::uint32_t word, std::uint32_t count, std::uint32_t edit) noexcept {
  const Handle* handles = burstAt(word, count);
  if (PW_LIKELY(handles != nullptr)) runEdit(edit, handles, count);
}

BurstSlot& slotOf(const Napi::CallbackInfo& info) {
  const std::uint32_t id = u32(info, 0, "slot");
  BurstSlot* slot = slots::byId(id);
  if (slot == nullptr || slot->counters() == nullptr) {
    raise(info.Env(), Status(StatusCode::kNotFound, "there is no queue slot " + std::to_string(id)));
  }
  return *slot;
}

Napi::Value slotAlloc(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), take(info.Env(), slots::allocate()));
}

Napi::Value slotClose(const Napi::CallbackInfo& info) {
  slotOf(info).close(u32(info, 1, "reasons"));
  return info.Env().Undefined();
}

Napi::Value slotOpen(const Napi::CallbackInfo& info) {
  slotOf(info).open(u32(info, 1, "reasons"));
  return info.Env().Undefined();
}

Napi::Value slotClosed(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), slotOf(info).closed());
}

Napi::Value slotCounters(const Napi::CallbackInfo& info) {
  (void)slotOf(info);
  return Napi::Number::New(info.Env(), static_cast<double>(slots::countersOffset(u32(info, 0, "slot"))));
}

Napi::Value slotResetCounters(const Napi::CallbackInfo& info) {
  BurstSlot& slot = slotOf(info);
  // The lcore that owns the counters is kept out, so that no increment is lost or revived.
  const BurstSlot::Hold hold(slot);
  for (std::uint64_t& value : slot.counters()->value) storeRelaxed(value, 0u);
  return info.Env().Undefined();
}

Napi::Value slotUsed(const Napi::CallbackInfo& info) {
  const std::uint32_t used = slotOf(info).used();
  return Napi::Number::New(info.Env(), used == ~0u ? -1.0 : static_cast<double>(used));
}

}  // namespace

void addSlots(Napi::Env, Napi::Object exports) {
  addCall<burst>(exports, "rxBurst");
  addCall<burst>(exports, "txBurst");
  addCall<forwardBurst>(exports, "forwardBurst");
  addCall<forwardEdited>(exports, "forwardEdited");
  addCall<editBurst>(exports, "editBurst");
  add(exports, "slotAlloc", slotAlloc);
  add(exports, "slotClose", slotClose);
  add(exports, "slotOpen", slotOpen);
  add(exports, "slotClosed", slotClosed);
  add(exports, "slotCounters", slotCounters);
  add(exports, "slotResetCounters", slotResetCounters);
  add(exports, "slotUsed", slotUsed);
}

}  // namespace pollwire::binding
